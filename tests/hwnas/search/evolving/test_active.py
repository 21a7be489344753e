"""Which branches are active in a round, by hand."""

import numpy as np
import pytest

from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.spaces import NasBenchMacro, Subspace, nse_space
from latency_tables import HwnasError


def networks(*branches):
    """Of eight genes, by the branches that are there."""
    return np.array([[int(gene in of) for gene in range(8)] for of in branches]).reshape(-1, 8)


def test_survivors_stay_by_fitness_and_unseen_ones_come_in():
    active = Active(genes=((0, 1, 2), (5, 6, 7)), unseen=((3, 4), ()))
    fitness = np.array([0.1, 0.9, 0.5, 0, 0, -1.0, 0.0, 2.0])
    # three branches of the first place have no room together: the two fittest stay; nothing waits at the second
    after = active.next(networks({0, 1, 2, 5, 7}), fitness, most=2)
    assert after == Active(genes=((1, 2, 3), (7, 5)), unseen=((4,), ()))
    # branch 0 is gone for good; one unused makes room for the last
    last = after.next(networks({1, 3, 7}), fitness, most=2)
    assert last == Active(genes=((1, 3, 4), (7,)), unseen=((), ()))
    assert last.next(networks({1}), fitness, most=2) is None


def test_whole_networks_stay_before_fit_branches():
    active = Active(genes=((0, 1, 2), (5, 6, 7)), unseen=((3, 4), (4,)))
    fitness = np.array([0.1, 0.9, 0.5, 0, 0, -1.0, 0.0, 2.0])
    # the first network stays, unfit as it is; the second has no room beside it, the third has
    after = active.next(networks({0, 5}, {1, 2, 7}, {0, 6}), fitness, most=2)
    assert after == Active(genes=((0, 1, 3), (6, 5, 4)), unseen=((4,), ()))


def test_what_is_left_at_the_end_stays_as_between_rounds():
    active = Active(genes=((0, 1, 2), (5, 6, 7)), unseen=((3,), ()))
    fitness = np.array([0.1, 0.9, 0.5, 0, 0, -1.0, 0.0, 2.0])
    # the first network stays whole, and of the other branches the fittest where there is room
    assert active.last(networks({2, 5}, {0, 1, 7}), fitness, most=2) == Active(((2, 1), (5, 7)), ())
    # what no network uses comes last, by fitness
    assert active.last(networks({2, 5}, {0, 5}), fitness, most=3) == Active(((2, 0, 1), (5, 7, 6)), ())


def test_every_branch_is_seen_before_the_end():
    space = nse_space("nse-32")
    active, rng, seen, rounds = Active.first(space, 4, np.random.default_rng(0)), np.random.default_rng(1), set(), 0
    assert Active.first(space, 4, np.random.default_rng(0)) == active
    assert Active.first(space, 4, np.random.default_rng(1)) != active
    while active is not None:
        part = active.part(space)
        assert part.size == 2 ** sum(map(len, active.genes))
        for stage, genes, unseen in zip(space.stages, active.genes, active.unseen, strict=True):
            assert {*genes, *unseen} <= {*stage}
            assert len(genes) <= 4
        seen |= {gene for genes in active.genes for gene in genes}
        front = part.sample(rng, 3)
        active, rounds = active.next(front, rng.random(len(space.cardinalities)), most=2), rounds + 1
    assert seen == set(range(len(space.cardinalities)))
    assert rounds <= 1 + 4  # 11 branches: 4, and two more at least in each round


def test_a_second_pool_waits_for_the_first():
    space = nse_space("nse-72")
    active = Active.first(space, 5, np.random.default_rng(0))
    for stage, genes, unseen in zip(space.stages, active.genes, active.unseen, strict=True):
        assert {*genes, *unseen[:22]} == {*stage[:27]}
        assert list(unseen[:22]) != sorted(unseen[:22])
        assert {*unseen[22:]} == {*stage[27:]}


def test_branches_that_are_not_allowed_never_come_in():
    whole = nse_space("nse-32")
    allowed = dict.fromkeys((*whole.stages[0][:8], whole.stages[1][0]), (0,)) | {whole.stages[2][0]: (1,)}
    space = Subspace(whole, allowed)
    active = Active.first(space, 5, np.random.default_rng(0))
    pools = [{*genes, *unseen} for genes, unseen in zip(active.genes, active.unseen, strict=True)]
    assert pools[0] == {*whole.stages[0][8:]}
    assert pools[1] == {*whole.stages[1][1:]}
    assert pools[2] == {*whole.stages[2][1:]}
    assert pools[3] == {*whole.stages[3]}
    assert Effort(active=5, survivors=3).rounds(space) == 4
    part = active.part(space)
    assert part.size == 2 ** (3 + 6 * 5)
    networks = space.to_whole(part.to_whole(part.sample(np.random.default_rng(1), 5)))
    assert networks[:, whole.stages[2][0]].all()
    assert not networks[:, whole.stages[1][0]].any()


@pytest.mark.parametrize(
    ("space", "count", "says"),
    [
        (nse_space("nse-32"), 12, "12 active branches per place: nse-32 has 11"),
        (nse_space("nse-32"), 1, "at least 2"),
        (NasBenchMacro(), 2, "nasbench-macro has no places with branches"),
        (Subspace.of_texts(NasBenchMacro(), ["*=0,1"]), 2, "nasbench-macro has no places with branches"),
    ],
)
def test_pools_that_do_not_fit(space, count, says):
    with pytest.raises(HwnasError, match=says):
        Active.first(space, count, np.random.default_rng(0))
