"""Exact search against brute force over every network."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hwnas.search import Budget, InfeasibleBudget, OutOfTime, best_network, cheapest, exact_front
from hwnas.search.pareto import pareto_front
from hwnas.spaces import NasBench101, NasBench201, NasBenchMacro, every_network, mbconv_space, regnet_space
from latency_tables.additive import Factors, Hinge, Hinged, NotSeparable, Slots

CELLS, MACRO, REGNET = NasBench201(), NasBenchMacro(), regnet_space("regnet-224")


def random_factors(space, seed, low=0.0):
    rng = np.random.default_rng(seed)
    return space.layout.factors([rng.uniform(low, 1, len(slot.options)) for slot in space.slots])


@pytest.mark.parametrize("space", [CELLS, MACRO], ids=lambda space: space.name)
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 1.0))
def test_the_front_holds_the_best_of_all_at_any_limit(space, seed, share):
    every = every_network(space)
    value, cost = random_factors(space, seed), random_factors(space, seed + 1)
    front = exact_front(space, value, cost)
    assert np.array_equal(space.canonical(front.population), front.population)
    assert value(front.population) == pytest.approx(front.value)
    assert cost(front.population) == pytest.approx(front.cost)
    assert (np.diff(front.cost) > 0).all()
    assert (np.diff(front.value) > 0).all()
    costs, values = cost(every), value(every)
    limit = costs.min() + share * np.ptp(costs) + 1e-9
    assert front.value[front.best(limit)] == pytest.approx(values[costs <= limit].max())
    assert front.best(costs.min() - 1e-3) is None


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6), share=st.floats(0.2, 0.9))
def test_several_budgets_at_once(seed, share):
    every = every_network(MACRO)
    value, costs = random_factors(MACRO, seed), [random_factors(MACRO, seed + 1 + i) for i in range(3)]
    all_costs = np.stack([c(every) for c in costs])
    most = np.quantile(all_costs, share, axis=1)
    inside = (all_costs <= most[:, None]).all(axis=0)
    limits = [Budget(f"unit {i}", m, c) for i, (m, c) in enumerate(zip(most, costs, strict=True))]
    if not inside.any():
        with pytest.raises(InfeasibleBudget, match="fewest unit 2"):
            best_network(MACRO, value, limits)
        return
    answer = best_network(MACRO, value, limits)
    assert answer.value == pytest.approx(value(every)[inside].max(), abs=1e-5)
    assert all(limit.cost(answer.arch[None])[0] <= limit.limit for limit in limits)
    assert answer.bound >= value(every)[inside].max() - 1e-9
    assert answer.value == value(answer.arch[None])[0]


@pytest.mark.parametrize("name", ["mbconv-32", "ofa-mbv3"])
def test_depth_is_searched_too_and_both_solvers_agree(name):
    space = mbconv_space(name)
    value, cost = random_factors(space, 0, low=-0.3), random_factors(space, 1)
    front = exact_front(space, value, cost)
    for share in (0.1, 0.4, 0.8):
        limit = float(front.cost[0] + share * np.ptp(front.cost))
        answer = best_network(space, value, [Budget("ms", limit, cost)])
        assert answer.proven(1e-5)
        assert answer.value == pytest.approx(front.value[front.best(limit)], abs=1e-5)
    random = space.sample(np.random.default_rng(2), 2000)
    ahead = [front.value[front.best(c)] for c in cost(random)]
    assert (ahead >= value(random) - 1e-9).all()


def test_a_limit_that_is_met_to_the_last_digit():
    cost = random_factors(MACRO, 5)
    costs = np.sort(cost(every_network(MACRO)))
    for limit in costs[[0, 100, 3000]]:
        answer = best_network(MACRO, cost, [Budget("ms", float(limit), cost)])
        assert cost(answer.arch[None])[0] <= limit
        assert answer.value == pytest.approx(limit, rel=1e-4)
        front = exact_front(MACRO, cost, cost, float(limit))
        assert cost(front.population).max() == limit


def test_a_limit_near_nothing_ends():
    """Costs of both signs: what is left to tighten is then no share of the limit."""
    value, cost = random_factors(MACRO, 5), random_factors(MACRO, 6, low=-1.0)
    costs = np.sort(np.abs(cost(every_network(MACRO))))
    answer = best_network(MACRO, value, [Budget("ms", float(costs[0]) / 2, cost)])
    assert cost(answer.arch[None])[0] <= costs[0] / 2


def test_nothing_so_cheap_names_the_cheapest():
    cost = random_factors(MACRO, 3)
    every = every_network(MACRO)
    cheapest = MACRO.to_text(every[cost(every).argmin()])
    with pytest.raises(InfeasibleBudget, match=f"the cheapest is {cheapest}"):
        exact_front(MACRO, cost, cost, limit=0.1)
    with pytest.raises(InfeasibleBudget, match=f"{cheapest} has the fewest ms"):
        best_network(MACRO, cost, [Budget("ms", 0.1, cost)])


def test_a_budget_that_is_no_sum_is_refused_where_not_all_can_be_listed():
    space = mbconv_space("mbconv-32")
    value = random_factors(space, 0)
    with pytest.raises(NotSeparable, match="costs in joules"):
        best_network(space, value, [Budget("joules", 1.0, lambda archs: value(archs) ** 2)])
    with pytest.raises(NotSeparable, match="is worth"):
        best_network(space, lambda archs: value(archs) ** 2)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6), share=st.floats(0.0, 1.0))
def test_what_is_no_sum_is_looked_up_where_all_can_be_listed(seed, share):
    every = every_network(CELLS)
    value, cost = random_factors(CELLS, seed), random_factors(CELLS, seed + 1)
    squares = cost(every) ** 2
    budget = Budget("joules", float(np.quantile(squares, share)), lambda archs: cost(archs) ** 2)
    answer = best_network(CELLS, lambda archs: np.sin(9 * value(archs)), [budget])
    inside = every[squares <= budget.limit]
    assert answer.value == answer.bound == np.sin(9 * value(inside)).max()
    assert budget.cost(answer.arch[None])[0] <= budget.limit
    with pytest.raises(InfeasibleBudget, match=r"has the fewest joules, .*; give a larger budget"):
        best_network(CELLS, value, [Budget("joules", squares.min() / 2, budget.cost)])


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    slopes=st.lists(st.floats(-0.8, 0.8), min_size=1, max_size=3),
    knees=st.permutations([0.2, 0.5, 0.8]),
    share=st.floats(0.02, 0.98),
)
@example(seed=12392, slopes=[1e-8], knees=[0.2, 0.5, 0.8], share=0.5)  # hardly a bend
def test_costs_that_bend_up_and_down(seed, slopes, knees, share, tiny_mbconv):
    """As weights that overflow a cache: dearer or cheaper by the megabyte from some megabytes on."""
    space = tiny_mbconv
    every = every_network(space)
    value, load = random_factors(space, seed, low=-0.3), random_factors(space, seed + 2)
    at = np.quantile(load(every), knees)
    bent = Hinged(random_factors(space, seed + 1), tuple(Hinge(s, load, k) for s, k in zip(slopes, at, strict=False)))
    costs, values = bent(every), value(every)
    other = random_factors(space, seed + 3)
    limits = [
        Budget("ms", float(np.quantile(costs, share)), bent),
        Budget("MB", float(np.quantile(other(every), 0.7)), other),
    ]
    inside = (costs <= limits[0].limit) & (other(every) <= limits[1].limit)
    assert bent(cheapest(space, bent)[None])[0] == pytest.approx(costs.min(), abs=1e-5)
    if not inside.any():
        with pytest.raises(InfeasibleBudget):
            best_network(space, value, limits)
        return
    answer = best_network(space, value, limits)
    assert bent(answer.arch[None])[0] <= limits[0].limit
    assert answer.value == pytest.approx(values[inside].max(), abs=1e-5)
    assert answer.bound >= values[inside].max() - 1e-9
    worth = best_network(space, bent, limits[1:])
    assert worth.value == pytest.approx(costs[other(every) <= limits[1].limit].max(), abs=1e-5)


def test_a_budget_that_counts_idle_genes_is_refused(tiny_mbconv):
    """Gene 2 is idle where gene 0, its stage's depth, is 0; no network has another value there than 0."""
    shallow = Factors(tiny_mbconv.cardinalities, {(0,): [1, 0]})
    zeros = Factors(tiny_mbconv.cardinalities, {(2,): [1, 0, 0, 0]})
    with pytest.raises(NotSeparable, match="genes that have no effect"):
        best_network(tiny_mbconv, shallow, [Budget("zeros", 0.5, zeros)])


def test_no_time_is_an_error_for_people():
    space = mbconv_space("ofa-mbv3")
    value, cost = random_factors(space, 0), random_factors(space, 1)
    limit = float(np.quantile(cost(space.sample(np.random.default_rng(0), 1000)), 0.1))
    with pytest.raises(OutOfTime, match="no network of ofa-mbv3 was found in 0 s; give it more time"):
        best_network(space, value, [Budget("ms", limit, cost)], time_limit_s=0.0)


def test_the_cheapest_of_a_graph_is_left_to_search():
    with pytest.raises(NotSeparable):
        cheapest(NasBench101(), lambda archs: archs.sum(axis=1))


@pytest.mark.parametrize("seed", [0, 1])
def test_genes_that_hang_together_are_conditioned_on(seed):
    """Widths tie the stages of regnet together: the front is that of all 110,592 networks, listed."""
    space = regnet_space("regnet-32")
    value, cost = random_factors(space, seed, low=-0.5), random_factors(space, seed + 10)
    front = exact_front(space, value, cost)
    every = every_network(space, at_most=200_000)
    costs, values = cost(every), value(every)
    wanted = pareto_front(values, costs)
    assert front.cost == pytest.approx(costs[wanted])
    assert front.value == pytest.approx(values[wanted])
    limit = float(np.quantile(costs, 0.2))
    assert exact_front(space, value, cost, limit).value == pytest.approx(front.value[front.cost <= limit])


def test_the_front_of_a_space_too_large_to_list_holds_what_the_other_solver_finds():
    value, cost = random_factors(REGNET, 0), random_factors(REGNET, 1)
    front = exact_front(REGNET, value, cost)
    random = REGNET.sample(np.random.default_rng(0), 20_000)
    limit = float(np.quantile(cost(random), 0.2))
    answer = best_network(REGNET, value, [Budget("ms", limit, cost)])
    assert answer.proven(1e-5)
    assert cost(answer.arch[None])[0] <= limit
    assert answer.value == pytest.approx(front.value[front.best(limit)], abs=1e-5)
    ahead = [front.value[front.best(c)] for c in cost(random)]
    assert (ahead >= value(random) - 1e-9).all()


def test_too_many_genes_that_hang_together_are_refused(chain):
    space = chain(genes=9, values=5)
    far = Factors(space.cardinalities, {tuple(range(9)): np.zeros(space.cardinalities)})
    with pytest.raises(NotSeparable, match="9 genes of chain depend on each other"):
        exact_front(space, far, far)
    with pytest.raises(NotSeparable, match="does not add up over the genes of chain"):
        exact_front(space, lambda archs: archs.sum(axis=1) ** 2.0, far)


def test_a_front_of_what_does_not_add_up_is_listed():
    every = every_network(CELLS)
    value, cost = random_factors(CELLS, 0), random_factors(CELLS, 1)
    limit = float(np.median(cost(every)))
    front = exact_front(CELLS, lambda archs: value(archs) ** 3, lambda archs: cost(archs) ** 2, limit**2)
    wanted = pareto_front(value(every), cost(every))
    wanted = wanted[cost(every)[wanted] <= limit]
    assert np.array_equal(front.population, every[wanted])


def test_a_table_that_counts_live_ops_only_is_searched_exactly():
    """Which edges are live is decided by all six genes of a cell together."""
    slots = Slots(CELLS.cardinalities, CELLS.pruned_slots("dead"))
    rng = np.random.default_rng(0)
    cost = slots.factors([rng.uniform(0, 1, len(slot.options)) for slot in slots.slots])
    value, every = random_factors(CELLS, 1), every_network(CELLS)
    front = exact_front(CELLS, value, cost)
    wanted = pareto_front(value(every), cost(every))
    assert front.value == pytest.approx(value(every)[wanted])
    assert front.cost == pytest.approx(cost(every)[wanted])
