"""The nearest distribution inside budgets, by hand, by its optimality, and where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from hwnas.search import Budget, InfeasibleBudget
from hwnas.search.differentiable.expectation import additive_bound, expected
from hwnas.search.differentiable.projection import project
from hwnas.spaces import NasBench201, NasBenchMacro
from latency_tables.additive import Factors, Hinge, Hinged

SPACE = NasBenchMacro()
GENES = len(SPACE.cardinalities)
UNIFORM = np.full((GENES, 3), 1 / 3)


def sums(seed, space=SPACE, joint=0):
    rng = np.random.default_rng(seed)
    tables = {(g,): rng.random(n) for g, n in enumerate(space.cardinalities)}
    for g in range(joint):
        tables[g, g + 1] = rng.random((space.cardinalities[g], space.cardinalities[g + 1]))
    return Factors(space.cardinalities, tables)


def budget(cost, share):
    """Between the least and the uniform mean, which share."""
    least = sum(table.min() for table in cost.tables.values())
    return Budget("u", float(least + share * (expected(cost, UNIFORM)[0] - least)), cost)


def test_what_is_inside_stays_as_it_is():
    cost = sums(0)
    assert project(SPACE, UNIFORM, [Budget("u", expected(cost, UNIFORM)[0], cost)]) is UNIFORM
    assert project(SPACE, UNIFORM, []) is UNIFORM


def test_two_values_by_hand():
    """One gene decides the cost: its probability of the dear value is what the budget leaves."""
    cost = Factors(SPACE.cardinalities, {(0,): np.array([0.0, 0.0, 1.0])})
    found = project(SPACE, UNIFORM, [Budget("u", 0.1, cost)])
    np.testing.assert_allclose(found[0], [0.45, 0.45, 0.1], atol=1e-6)
    np.testing.assert_allclose(found[1:], 1 / 3)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.95))
def test_one_price_for_all_genes_that_just_keeps_the_budget(seed, share):
    rng = np.random.default_rng(seed)
    p, cost = rng.dirichlet(np.ones(3), GENES), sums(seed)
    limit = budget(cost, share)
    slopes = np.stack([cost.tables[g,] for g in range(GENES)])

    def tilted(price):
        q = p * np.exp(-price * slopes)
        return q / q.sum(axis=1, keepdims=True)

    found = project(SPACE, p, [limit])
    assert expected(cost, found)[0] <= limit.limit
    if expected(cost, p)[0] <= limit.limit:
        assert found is p
    else:
        price = brentq(lambda price: expected(cost, tilted(price))[0] - limit.limit, 0, 300)
        np.testing.assert_allclose(found, tilted(price), atol=1e-4)


def test_several_budgets_are_kept_at_once():
    budgets = [budget(sums(seed), 0.75) for seed in range(3)]
    found = project(SPACE, UNIFORM, budgets)
    assert all(expected(b.cost, found)[0] <= b.limit for b in budgets)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_tables_over_two_genes_and_knees(share):
    joint = sums(5, joint=6)
    load = sums(6)
    for cost in (joint, Hinged(joint, (Hinge(0.7, load, 4.0),))):
        archs = SPACE.sample(np.random.default_rng(0), 2000)
        limit = float(np.quantile(cost(archs), share))
        found = project(SPACE, UNIFORM, [Budget("u", limit, cost)])
        assert expected(additive_bound(cost, found), found)[0] <= limit
        drawn = (np.random.default_rng(1).random((4000, GENES, 1)) > found.cumsum(axis=1)).sum(axis=2)
        assert cost(drawn).mean() <= limit * 1.01  # the chord is nowhere below the cost


def test_a_budget_of_one_network_leaves_that_one():
    cost = sums(1)
    least = sum(table.min() for table in cost.tables.values())
    found = project(SPACE, UNIFORM, [Budget("u", least * (1 + 1e-12), cost)])
    assert [int(row.argmax()) for row in found] == [int(cost.tables[g,].argmin()) for g in range(GENES)]
    assert expected(cost, found)[0] <= least * (1 + 1e-12)


def test_no_network_is_an_error_that_names_the_cheapest():
    cost = sums(1)
    least = sum(table.min() for table in cost.tables.values())
    with pytest.raises(InfeasibleBudget, match="has the fewest u"):
        project(SPACE, UNIFORM, [Budget("u", 0.9 * least, cost)])


def test_genes_of_different_sizes():
    space = NasBench201()
    cost = sums(3, space)
    p = np.full((6, 5), 0.2)
    limit = 0.5 * expected(cost, p)[0] + 0.5 * sum(table.min() for table in cost.tables.values())
    found = project(space, p, [Budget("u", limit, cost)])
    assert limit * (1 - 1e-5) <= expected(cost, found)[0] <= limit
