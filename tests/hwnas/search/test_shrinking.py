"""Which values of genes are dropped, by signals whose answer is known."""

import numpy as np

from hwnas.search.shrinking import shrink
from hwnas.spaces import NasBenchMacro, Subspace

SPACE = NasBenchMacro()


def number_of_twos(population):
    return (population == 2).sum(axis=1).astype(float)


def weighted(population):
    """Layer 1 decides most, layer 8 least; a larger value is worth more."""
    return population @ 3.0 ** np.arange(8)[::-1]


def test_the_values_of_the_worst_networks_go_first():
    assert shrink(SPACE, weighted, 1, sample=4000).allowed[0] == (1, 2)
    assert shrink(SPACE, weighted, 2, sample=4000).allowed[:2] == ((1, 2), (1, 2))


def test_every_gene_keeps_a_value():
    left = shrink(SPACE, number_of_twos, 100)
    assert left.allowed == ((2,),) * 8


def test_the_space_stays_feasible():
    """Two layers must be able to be identity, so that two genes keep it whatever the signal says."""

    def feasible(part: Subspace) -> bool:
        return sum(0 in values for values in part.allowed) >= 2

    left = shrink(SPACE, weighted, 100, feasible=feasible)
    assert feasible(left)
    assert sum(len(values) == 1 for values in left.allowed) >= 6


def test_a_part_is_shrunk_in_its_own_numbers():
    part = Subspace(SPACE, {0: (1, 2)})
    left = shrink(part, lambda population: number_of_twos(part.to_whole(population)), 100)
    assert left.whole is part
    assert set(SPACE.to_text(part.to_whole(left.to_whole(left.sample(np.random.default_rng(0), 1)))[0])) == {"2"}
