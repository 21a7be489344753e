"""Exact search against brute force over every network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search import Budget, InfeasibleBudget, best_network, exact_front
from hwnas.spaces import NasBench201, NasBenchMacro, every_network, mbconv_space, regnet_space
from hwnas.spaces.factors import Factors, NotSeparable

CELLS, MACRO, REGNET = NasBench201(), NasBenchMacro(), regnet_space("regnet-224")


def random_factors(space, seed, low=0.0):
    rng = np.random.default_rng(seed)
    return Factors.of_slots(space, [rng.uniform(low, 1, len(slot)) for slot in space.slots])


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


def test_nothing_so_cheap_names_the_cheapest():
    cost = random_factors(MACRO, 3)
    every = every_network(MACRO)
    cheapest = MACRO.to_text(every[cost(every).argmin()])
    with pytest.raises(InfeasibleBudget, match=f"the cheapest is {cheapest}"):
        exact_front(MACRO, cost, cost, limit=0.1)
    with pytest.raises(InfeasibleBudget, match=f"{cheapest} has the fewest ms"):
        best_network(MACRO, cost, [Budget("ms", 0.1, cost)])


def test_a_budget_that_is_no_sum_is_refused():
    value = random_factors(MACRO, 0)
    with pytest.raises(NotSeparable, match="costs in joules"):
        best_network(MACRO, value, [Budget("joules", 1.0, lambda archs: value(archs) ** 2)])


def test_widths_that_hang_together_have_no_exact_front_but_an_exact_best():
    value, cost = random_factors(REGNET, 0), random_factors(REGNET, 1)
    with pytest.raises(NotSeparable, match="depend on each other"):
        exact_front(REGNET, value, cost)
    random = REGNET.sample(np.random.default_rng(0), 20_000)
    limit = float(np.quantile(cost(random), 0.2))
    answer = best_network(REGNET, value, [Budget("ms", limit, cost)])
    assert answer.proven(1e-5)
    assert cost(answer.arch[None])[0] <= limit
    assert answer.value >= value(random[cost(random) <= limit]).max()
