"""Hard budgets: kept by construction, and an error that names the closest network where they cannot be."""

import numpy as np
import pytest

from hwnas.search import Budget, InfeasibleBudget, sample_within
from hwnas.search.budget import feasible, violation
from hwnas.search.feasibility import closest, descend, repair, steepest
from hwnas.spaces import NasBench101, NasBenchMacro, load_space, mbconv_space
from latency_tables import Calibration, LatencyModel
from latency_tables.additive.factors import Factors
from latency_tables.additive.hinged import Hinged
from latency_tables.model.calibration import KNEES

SPACE = NasBenchMacro()


def layers(limit, name="layers"):
    """At most so many layers that are not identity."""
    return Budget(name, limit, lambda population: (population > 0).sum(axis=1).astype(float))


def large(limit):
    """At most so many large layers."""
    return Budget("large layers", limit, lambda population: (population == 2).sum(axis=1).astype(float))


def test_overruns_by_hand():
    archs = np.array([[0] * 8, [1] * 8, [2] * 4 + [0] * 4])
    assert layers(4).violation(archs).tolist() == [0, 1, 0]
    assert violation([layers(4), large(2)], archs).tolist() == [0, 1, 1]
    assert feasible([layers(4), large(2)], archs).tolist() == [True, False, False]
    assert feasible([], archs).all()
    assert layers(0).violation(archs).tolist() == [0, 8, 4]
    below = Budget("balance", -2.0, lambda population: -(population > 0).sum(axis=1).astype(float))
    assert below.violation(archs).tolist() == [1, 0, 0]


def test_an_upper_bound_is_what_counts(latency):
    space = mbconv_space("mbconv-32")
    model = latency(space)
    archs = space.sample(np.random.default_rng(0), 20)
    budget = Budget.latency(model, 1.0)
    assert budget.cost(archs) == pytest.approx(model.predict(archs).upper_ms, rel=1e-12)
    assert isinstance(budget.cost, Factors), "it adds up, so that it can be searched exactly"


def test_knees_are_hinges(latency):
    space = mbconv_space("mbconv-32")
    calibration = Calibration(("sum_ms", *KNEES, "constant"), (1.0, 2.0, 0.0, -1.0, 0.5), 0.1, knees_mb=(0.9, 1.0, 1.1))
    model = LatencyModel(latency(space).table, space, calibration)
    archs = space.sample(np.random.default_rng(0), 200)
    cost = Budget.latency(model, 1.0).cost
    assert cost(archs) == pytest.approx(model.predict(archs).upper_ms, rel=1e-12)
    assert isinstance(cost, Hinged)
    assert [(hinge.knee, round(hinge.slope, 9)) for hinge in cost.hinges] == [(0.9, 2.2), (1.1, -1.1)]


def test_a_network_without_neighbours_is_where_a_descent_ends():
    space = NasBench101()
    found = descend(space, lambda archs: archs.sum(axis=1).astype(float), 8)
    assert found.sum() == 1  # the edge from input to output
    assert not len(space.neighbours(found))


@pytest.mark.parametrize("limit", [0.5, 1, 3, 8])
def test_samples_keep_the_budget(limit):
    found = sample_within(SPACE, [layers(limit), large(2)], np.random.default_rng(0), 50)
    assert len(found) == 50
    assert feasible([layers(limit), large(2)], found).all()
    if limit >= 3:
        assert len(np.unique(found, axis=0)) > 30  # not one network again and again


def test_repair_leaves_what_is_inside_alone():
    archs = np.array([[0] * 8, [1, 1, 0, 0, 0, 0, 0, 0], [2] * 8])
    found = repair(SPACE, archs, [layers(2)], np.random.default_rng(0))
    assert np.array_equal(found[:2], archs[:2])
    assert (found[2] > 0).sum() == 2


def test_no_budget_no_limit():
    assert len(sample_within(SPACE, [], np.random.default_rng(0), 7)) == 7


def test_an_infeasible_budget_names_the_closest_network():
    impossible = Budget("ms", 1.0, lambda population: 2.0 + population.sum(axis=1))
    with pytest.raises(InfeasibleBudget, match=r"fits 1 ms: the closest is 00000000 with 2 ms; give a larger") as said:
        sample_within(SPACE, [impossible], np.random.default_rng(0), 5)
    assert len(str(said.value).splitlines()) == 1
    assert closest(SPACE, [impossible]).tolist() == [0] * 8


def test_an_infeasible_budget_is_refused_after_as_little_work_for_many_samples_as_for_one():
    space, calls = mbconv_space("ofa-mbv3", num_classes=1000), []

    def cost(population):
        calls.append(len(population))
        return 2.0 + population.sum(axis=1)

    work = []
    for n in (1, 1000):
        calls.clear()
        with pytest.raises(InfeasibleBudget, match="the closest is ofa-mbv3:"):
            sample_within(space, [Budget("ms", 1.0, cost)], np.random.default_rng(0), n)
        work.append(len(calls))
    assert work[1] == work[0]


def test_a_network_without_neighbours_is_a_dead_end_not_an_error():
    impossible = Budget("ms", 1.0, lambda population: 2.0 + population.sum(axis=1))
    with pytest.raises(InfeasibleBudget, match="no network of nb101 fits 1 ms"):
        sample_within(load_space("nb101"), [impossible], np.random.default_rng(0), 50)


def _one_by_one(space, arch, budgets):
    """The steepest way over single changes, the first in lexicographic order of those that save as much."""
    over = float(violation(budgets, arch[None])[0])
    while over > 0:
        around = space.neighbours(arch)
        left = violation(budgets, around)
        if left.min(initial=np.inf) >= over:
            return None
        arch, over = around[left.argmin()], float(left.min())
    return arch


@pytest.mark.parametrize("name", ["mbconv-32", "nasbench-macro"])
@pytest.mark.parametrize("at_once", [1, 300, 100_000])
def test_networks_that_walk_together_go_where_each_goes_alone(name, at_once, monkeypatch):
    """Under a budget that some reach and some do not; ties included."""
    monkeypatch.setattr("hwnas.search.feasibility._AROUND", at_once)
    space = load_space(name)
    archs = space.sample(np.random.default_rng(0), 40)
    total = Budget("genes", 4, lambda population: population.sum(axis=1).astype(float))
    first = Budget("first", 0.5, lambda population: (population[:, 0] * (population[:, 1:].sum(axis=1) > 3)) * 1.0)
    ends, over = steepest(space, archs, lambda some: violation([total, first], some), enough=0.0)
    alone = [_one_by_one(space, arch, [total, first]) for arch in archs]
    for end, left, expected in zip(ends, over, alone, strict=True):
        assert (left > 0) == (expected is None)
        assert expected is None or np.array_equal(end, expected)
