"""Likely networks inside budgets: by hand, and against all networks of a small space."""

import numpy as np
import pytest

from hwnas.search import Budget, InfeasibleBudget
from hwnas.search.differentiable.likely import likely_networks, most_probable
from hwnas.spaces import NasBenchMacro, every_network


@pytest.fixture(scope="module")
def macro():
    return NasBenchMacro(num_classes=3, size=16, width_share=0.125)


@pytest.fixture(scope="module")
def layers(macro):
    return macro.additive({op: float(op.kind == "mbconv") for op in macro.all_ops})


def mean_of(macro, seed=0):
    mean = np.random.default_rng(seed).dirichlet(np.ones(3), len(macro.cardinalities))
    return mean / mean.sum(axis=1, keepdims=True)


def test_the_most_probable_network_takes_the_likeliest_value_of_every_gene(macro):
    mean = mean_of(macro)
    assert np.array_equal(most_probable(macro, mean, []), macro.canonical(mean.argmax(axis=1)[None])[0])


def test_within_a_budget_it_is_the_best_of_all(macro, layers):
    mean, every = mean_of(macro, 1), every_network(macro)
    inside = every[layers(every) <= 3]
    logs = np.log(mean)[np.arange(8), inside].sum(axis=1)
    found = most_probable(macro, mean, [Budget("layers", 3.0, layers)])
    assert np.log(mean)[np.arange(8), found].sum() == pytest.approx(logs.max())
    assert layers(found[None])[0] <= 3


def test_likely_networks_keep_the_budgets_and_reach_down_from_them(macro, layers):
    budget, rng = Budget("layers", 6.0, layers), np.random.default_rng(0)
    found = likely_networks(macro, mean_of(macro, 2), [budget], rng, 40)
    assert np.array_equal(found[0], most_probable(macro, mean_of(macro, 2), [budget]))
    assert len(np.unique(found, axis=0)) == len(found) <= 44
    assert (layers(found) <= 6).all()
    assert layers(found).min() <= 0.55 * 6
    assert layers(found).max() == 6


def test_another_budget_may_keep_shares_from_being_met(macro, layers):
    """At least five layers: of six at most, shares of 85 % and less have no such network."""
    few, many = Budget("layers", 6.0, layers), Budget("layers left out", -5.0, layers.scaled(-1.0))
    found = likely_networks(macro, mean_of(macro, 3), [few, many], np.random.default_rng(0), 40)
    assert set(layers(found)) <= {5, 6}
    with pytest.raises(InfeasibleBudget):
        likely_networks(
            macro, mean_of(macro, 3), [few, Budget("left out", -7.0, layers.scaled(-1.0))], np.random.default_rng(0), 4
        )
