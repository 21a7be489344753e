import numpy as np
import pytest

from hwnas.spaces import NasBench101, NasBench201, NasBenchMacro, mbconv_space, regnet_space
from latency_tables.additive.factors import Factors, NotSeparable
from latency_tables.additive.joint import connected

CHAINS = [mbconv_space("mbconv-32"), mbconv_space("ofa-mbv3"), regnet_space("regnet-32"), NasBenchMacro()]


@pytest.mark.parametrize("space", [*CHAINS, NasBench201()], ids=lambda space: space.name)
def test_tables_say_what_the_slots_say(space):
    rng = np.random.default_rng(0)
    per_slot = [rng.normal(size=len(slot.options)) for slot in space.slots]
    archs = space.sample(rng, 300)
    choices = space.slot_options(archs)
    wanted = sum(values[column] for values, column in zip(per_slot, choices.T, strict=True))
    assert space.layout.factors(per_slot)(archs) == pytest.approx(wanted, abs=1e-12)


def test_by_hand():
    factors = Factors((2, 3), {(): 1.0, (1,): [0, 10, 20], (0, 1): [[0, 0, 0], [0.5, 0.25, 0.125]]})
    archs = np.array([[0, 0], [1, 2], [1, 0]])
    assert factors(archs).tolist() == [1, 21.125, 1.5]
    assert factors.scaled(2)(archs).tolist() == [2, 42.25, 3]
    assert factors.plus(Factors((2, 3), {(0,): [0, 100]}))(archs).tolist() == [1, 121.125, 101.5]
    assert factors.plus_constant(3)(archs).tolist() == [4, 24.125, 4.5]
    fewer = factors.restricted([[0, 1], [0]])
    assert fewer.cardinalities == (2, 1)
    assert fewer(archs[[0, 2]]).tolist() == [1, 1.5]
    assert factors.restricted([[1], [2, 0]])(np.array([[0, 0], [0, 1]])).tolist() == [21.125, 1.5]
    assert factors.plus(factors)(archs).tolist() == factors.scaled(2)(archs).tolist()


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_any_integer_type_memory_order_and_number_of_networks(kind):
    cardinalities = (200, 250, 3, 7)
    rng = np.random.default_rng(0)
    tables = {(0, 1): rng.random((200, 250)), (2,): rng.random(3), (3, 2): rng.random((7, 3)), (): 5.0}
    factors = Factors(cardinalities, tables)
    for n in (0, 1, 20_000):
        archs = rng.integers(0, cardinalities, (n, 4)).astype(kind)
        a, b, c, d = archs.astype(int).T
        wanted = tables[0, 1][a, b] + tables[2,][c] + tables[3, 2][d, c] + 5
        assert factors(archs) == pytest.approx(wanted)
        assert factors(np.asfortranarray(archs)) == pytest.approx(wanted)


def test_a_table_of_the_wrong_shape_or_without_a_number_is_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        Factors((2, 3), {(1,): [0, 1]})
    with pytest.raises(ValueError, match="finite"):
        Factors((2,), {(0,): [0, np.nan]})


def test_groups_are_genes_that_hang_together():
    assert connected(range(6), [(0, 1), (1, 3), (4,)]) == ((0, 1, 3), (2,), (4,), (5,))
    assert connected(range(2), []) == ((0,), (1,))
    assert connected([1, 3, 4], [(0, 1), (0, 3)]) == ((1,), (3,), (4,))


def test_a_graph_has_no_tables():
    space = NasBench101()
    with pytest.raises(NotSeparable, match="26 genes"):
        space.layout.factors([np.zeros(len(slot.options)) for slot in space.slots])


def test_many_genes_of_one_value_are_no_array_of_many_dimensions():
    """What is left of a space may be a few genes among hundreds that are decided."""
    cardinalities = (1,) * 80 + (2,) * 3
    cost = Factors(cardinalities, {(gene,): np.arange(float(n)) + gene for gene, n in enumerate(cardinalities)})
    archs = np.zeros((2, 83), dtype=np.int64)
    archs[1, 81] = 1
    assert cost(archs).tolist() == [sum(range(83)), sum(range(83)) + 1]
