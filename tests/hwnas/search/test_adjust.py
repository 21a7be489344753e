"""Network adjustment: from any start into the budgets and up to them, a few genes at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search import Budget, InfeasibleBudget, adjust, best_network, hamming_budget, utilisation
from hwnas.search.adjust import exchanges
from hwnas.search.budget import feasible
from hwnas.spaces import NasBench101, NasBench201, NasBenchMacro, every_network, load_space
from latency_tables.additive.factors import Factors

MACRO = NasBenchMacro()


def sums(space, seed):
    rng = np.random.default_rng(seed)
    return space.layout.factors([rng.uniform(0, 1, len(slot.options)) for slot in space.slots])


def by_hand(chain):
    """Two genes: gains of 3 for 1 ms and 4 for 4 ms; gains of 2 for 2 ms and 9 for 6 ms."""
    space = chain(genes=2, values=3)
    accuracy = Factors((3, 3), {(0,): [0, 3, 4], (1,): [0, 2, 9]})
    ms = Factors((3, 3), {(): 1.0, (0,): [0, 1, 4], (1,): [0, 2, 6]})
    return space, accuracy, ms


def test_utilisation_by_hand(chain):
    space, accuracy, ms = by_hand(chain)
    around = utilisation(space, np.array([1, 0]), accuracy, ms)
    assert around.population.tolist() == [[0, 0], [1, 1], [1, 2], [2, 0]]
    assert around.accuracy_change.tolist() == [-3, 2, 9, 1]
    assert around.cost_change.tolist() == [-1, 2, 6, 3]
    assert around.ratio == pytest.approx([3, 1, 1.5, 1 / 3])


def test_what_costs_nothing_has_an_infinite_ratio(chain):
    space, accuracy, _ = by_hand(chain)
    free = utilisation(space, np.array([1, 0]), accuracy, Factors((3, 3), {}))
    assert free.ratio.tolist() == [-np.inf, np.inf, np.inf, np.inf]
    nothing = utilisation(space, np.array([1, 0]), Factors((3, 3), {}), Factors((3, 3), {}))
    assert nothing.ratio.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("start", "limit", "end", "changed"),
    [
        ([0, 0], 4.0, [1, 1], [0, 1]),  # 3 for the first ms, then 2 for two more: 4 of 4 ms
        ([2, 0], 5.0, [1, 1], [0, 1]),  # full at the start: one down for one up
        ([2, 2], 8.0, [1, 2], [0]),  # 1 for three ms is the least to give up
        ([1, 2], 8.0, [1, 2], []),
        ([0, 0], 1.0, [0, 0], []),
    ],
)
def test_adjusted_by_hand(chain, start, limit, end, changed):
    space, accuracy, ms = by_hand(chain)
    done = adjust(space, np.array(start), accuracy, [Budget("ms", limit, ms)])
    assert done.arch.tolist() == end
    assert done.changed.tolist() == changed
    assert done.accuracy == accuracy(done.arch[None])[0]
    assert done.left[0] == pytest.approx(1 - ms(done.arch[None])[0] / limit)


@pytest.mark.parametrize("space", [MACRO, NasBench201(), load_space("mbconv-32")], ids=lambda space: space.name)
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6), share=st.floats(0.05, 0.9))
def test_no_change_and_no_exchange_is_better(space, seed, share):
    sample = space.sample(np.random.default_rng(seed), 300)
    accuracy, costs = sums(space, seed), [sums(space, seed + 1), sums(space, seed + 2)]
    budgets = [
        Budget("ms", float(np.quantile(costs[0](sample), share)), costs[0]),
        Budget("mJ", float(np.quantile(costs[1](sample), 0.8)), lambda archs: costs[1](archs) * 1.0),
    ]
    done = adjust(space, sample[0], lambda archs: np.tanh(accuracy(archs)), budgets)
    assert feasible(budgets, done.arch[None])[0]
    assert np.array_equal(done.arch, space.check(done.arch))
    assert np.array_equal(done.changed, np.flatnonzero(done.arch != sample[0]))
    for around in (space.neighbours(done.arch), exchanges(space, done.arch)):
        inside = around[feasible(budgets, around)]
        assert not len(inside) or np.tanh(accuracy(inside)).max() <= done.accuracy + 1e-9


def test_exchanges_are_all_networks_two_genes_away():
    arch = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    pairs = exchanges(MACRO, arch)
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 8 * 7 // 2 * 4
    assert ((pairs != arch).sum(axis=1) == 2).all()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6), most=st.integers(1, 4), share=st.floats(0.1, 0.9))
def test_a_few_changes_exactly_and_nearly(seed, most, share):
    every = every_network(MACRO)
    accuracy, cost = sums(MACRO, seed), sums(MACRO, seed + 1)
    budget = Budget("ms", float(np.quantile(cost(every), share)), cost)
    start = every[seed % len(every)]
    near = every[((every != start).sum(axis=1) <= most) & (cost(every) <= budget.limit)]
    if not len(near):
        with pytest.raises(InfeasibleBudget, match="genes changed"):
            best_network(MACRO, accuracy, [budget, hamming_budget(MACRO, start, most)])
        with pytest.raises(InfeasibleBudget, match="genes changed"):
            adjust(MACRO, start, accuracy, [budget], most)
        return
    answer = best_network(MACRO, accuracy, [budget, hamming_budget(MACRO, start, most)])
    assert answer.value == pytest.approx(accuracy(near).max(), abs=1e-5)
    assert (answer.arch != start).sum() <= most
    done = adjust(MACRO, start, accuracy, [budget], most)
    assert len(done.changed) <= most
    assert cost(done.arch[None])[0] <= budget.limit
    assert done.accuracy <= answer.value + 1e-5


@pytest.mark.parametrize("name", ["mbconv-32", "ofa-mbv3", "regnet-32", "nb201", "nb101", "nasbench-macro"])
def test_changes_are_counted_in_canonical_genotypes(name):
    space = load_space(name)
    archs = space.sample(np.random.default_rng(0), 300)
    for start in archs[:3]:
        budget = hamming_budget(space, start, 2)
        assert isinstance(budget.cost, Factors) == (name != "nb101")
        assert budget.cost(archs).tolist() == (archs != start).sum(axis=1).tolist()
        assert feasible([budget], space.neighbours(start)).sum() >= 1


def test_depth_may_change_within_few_changes():
    """Blocks that go idle count as the 0 they are then written as, in both directions."""
    space = load_space("mbconv-32")
    accuracy, cost = sums(space, 0), sums(space, 1)
    start = space.sample(np.random.default_rng(3), 1)[0]
    around = np.concatenate([start[None], space.neighbours(start), exchanges(space, start)])
    around = around[(around != start).sum(axis=1) <= 2]
    limit = float(np.quantile(cost(around), 0.4))
    answer = best_network(space, accuracy, [Budget("ms", limit, cost), hamming_budget(space, start, 2)])
    assert (answer.arch != start).sum() <= 2
    assert answer.value == pytest.approx(accuracy(around[cost(around) <= limit]).max(), abs=1e-5)


def test_budgets_that_nothing_keeps_and_changes_that_are_none():
    cost = sums(MACRO, 0)
    with pytest.raises(InfeasibleBudget, match="give a larger budget"):
        adjust(MACRO, np.zeros(8, dtype=np.int64), cost, [Budget("ms", 1e-3, cost)])
    with pytest.raises(ValueError, match="at least one gene"):
        hamming_budget(MACRO, np.zeros(8, dtype=np.int64), 0)


def test_a_graph_is_adjusted_too():
    space = NasBench101()
    start = space.sample(np.random.default_rng(0), 1)[0]
    done = adjust(space, start, lambda archs: archs.sum(axis=1) * 1.0, [], most_changes=3)
    assert len(done.changed) <= 3
    assert done.accuracy > start.sum()
    assert done.left.shape == (0,)
