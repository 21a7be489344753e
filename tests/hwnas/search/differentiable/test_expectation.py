"""Expected costs, by hand and by brute force."""

import numpy as np
import pytest

from hwnas.search.differentiable.expectation import additive_bound, expected
from latency_tables.additive import Factors, Hinge, Hinged, NotSeparable

FEW = (2, 3)
BY_HAND = Factors(
    FEW, {(): np.array(1.0), (0,): np.array([0.0, 10.0]), (0, 1): np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])}
)
HALVES = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])


def every(cardinalities):
    return np.indices(cardinalities).reshape(len(cardinalities), -1).T


def test_by_hand():
    mean, slope = expected(BY_HAND, HALVES)
    assert mean == pytest.approx(1 + 5 + (2.25 + 5.25) / 2)
    np.testing.assert_allclose(slope, [[2.25, 15.25, 0], [2.5, 3.5, 4.5]])


def test_is_the_mean_over_all_networks_and_its_derivative(rng):
    cardinalities = (3, 2, 4)
    tables = {(0, 2): rng.random((3, 4)), (1,): rng.random(2), (2, 1, 0): rng.random((4, 2, 3)), (): np.array(2.0)}
    cost = Factors(cardinalities, tables)
    p = np.zeros((3, 4))
    for gene, values in enumerate(cardinalities):
        p[gene, :values] = rng.dirichlet(np.ones(values))
    archs = every(cardinalities)
    weights = np.prod([p[g, archs[:, g]] for g in range(3)], axis=0)
    mean, slope = expected(cost, p)
    assert mean == pytest.approx(weights @ cost(archs))
    for gene, values in enumerate(cardinalities):
        for value in range(values):
            certain = p.copy()
            certain[gene] = np.eye(4)[value]
            others = np.prod([certain[g, archs[:, g]] for g in range(3)], axis=0)
            base = expected(cost, np.where(np.arange(3)[:, None] == gene, 0.0, certain))[0]  # what lacks the gene
            assert slope[gene, value] == pytest.approx(others @ cost(archs) - base)


def test_a_bend_is_bounded_by_its_chord():
    """Loads of 0 to 4 over a knee of 1: the chord from (0, 0) to (4, 3) rises by 3/4."""
    load = Factors(FEW, {(0,): np.array([0.0, 2.0]), (1,): np.array([0.0, 1.0, 2.0])})
    cost = Hinged(Factors(FEW, {(0,): np.array([5.0, 7.0])}), (Hinge(2.0, load, 1.0),))
    archs = every(FEW)
    bound = additive_bound(cost, np.ones((2, 3)) / 3)
    np.testing.assert_allclose(bound(archs), cost.additive(archs) + 2 * 0.75 * load(archs))
    only = additive_bound(cost, HALVES * np.array([1.0, 0.0, 0.0]))  # one network is left
    assert only(archs[:1])[0] == pytest.approx(5.0)


def test_a_bend_that_makes_it_cheaper_is_bounded_by_the_line_of_the_means_side():
    """Loads of 0 to 4 over a knee of 3: 0 below it, and beyond it -2 (load - 3), which is more than 0 below it."""
    load = Factors(FEW, {(0,): np.array([0.0, 2.0]), (1,): np.array([0.0, 1.0, 2.0])})
    cost, archs = Hinged(Factors(FEW, {(): np.array(9.0)}), (Hinge(-2.0, load, 3.0),)), every(FEW)
    light, heavy = (np.array([[1 - p, p, 0.0], [0.0, 1 - p, p]]) for p in (0.5, 0.9))  # loads of 2.5 and 3.7 on average
    np.testing.assert_allclose(additive_bound(cost, light)(archs), 9.0)
    np.testing.assert_allclose(additive_bound(cost, heavy)(archs), 15.0 - 2 * load(archs))


def test_the_bound_of_a_single_network_is_what_it_costs(rng):
    cardinalities = (3, 2, 4)
    archs = every(cardinalities)
    loads = [Factors(cardinalities, {(g,): rng.random(n) for g, n in enumerate(cardinalities)}) for _ in range(4)]
    hinges = tuple(Hinge(slope, load, 1.5) for slope, load in zip((-2.0, 1.0, -0.5, 3.0), loads, strict=True))
    cost = Hinged(Factors(cardinalities, {(0, 2): rng.random((3, 4))}), hinges)
    for arch in archs:
        certain = np.eye(4)[arch]
        assert expected(additive_bound(cost, certain), certain)[0] == pytest.approx(float(cost(arch[None])[0]))
    p = np.zeros((3, 4))
    for gene, values in enumerate(cardinalities):
        p[gene, :values] = rng.dirichlet(np.ones(values))
    assert (additive_bound(cost, p)(archs) >= cost(archs) - 1e-12).all()


def test_a_sum_is_its_own_bound_and_other_functions_have_none():
    assert additive_bound(BY_HAND, HALVES) is BY_HAND
    with pytest.raises(NotSeparable):
        additive_bound(lambda population: population.sum(axis=1), HALVES)
