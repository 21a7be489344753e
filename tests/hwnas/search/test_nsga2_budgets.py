"""NSGA-II under budgets: kept by construction, whatever the budgets and the warm start."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, Evaluated, InfeasibleBudget, NSGA2Strategy, Problem, SpaceExhausted, search
from hwnas.search.budget import feasible
from hwnas.search.contract import check_strategy
from hwnas.spaces import NasBenchMacro, mbconv_space

MACRO = NasBenchMacro()


class Unasked(AccuracyEstimator):
    """Answers are made up by the tests."""

    def estimate(self, population):
        return AccuracyEstimate(*np.zeros((2, len(population))))


def layers(limit):
    """At most so many layers that are not identity."""
    return Budget("layers", limit, lambda population: (population > 0).sum(axis=1).astype(float))


def weight(limit):
    """At most so much, where later layers weigh more."""
    return Budget("weight", limit, lambda population: population @ np.arange(1.0, 9.0))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 8), st.floats(0.5, 72), st.integers(0, 9), st.integers(0, 30))
def test_nothing_outside_the_budgets_is_ever_suggested(most, heaviest, seed, warm):
    budgets = (layers(most + 0.5), weight(heaviest))
    warm_start = MACRO.sample(np.random.default_rng(seed), warm)
    problem = Problem(MACRO, Unasked(), budgets=budgets)
    strategy = NSGA2Strategy(problem, seed=seed, population=20, warm_start=warm_start)
    rng = np.random.default_rng(seed)
    for _ in range(4):
        try:
            suggested = strategy.suggest()
        except SpaceExhausted:
            break
        assert feasible(budgets, suggested).all()
        strategy.update(made_up(suggested, rng.random(len(suggested))))


def made_up(population, ms):
    """Any milliseconds, and accuracies that rise with them."""
    return Evaluated(population, ms / ms.max(), np.zeros(len(ms)), ms, ms)


@pytest.mark.parametrize(("tight", "least"), [(1.05, 10), (2.0, 190)])
def test_budgets_are_kept_in_a_large_space(latency, additive, tight, least):
    """Barely above the fastest network there are few others, and the search ends when it has seen them."""
    space = mbconv_space("mbconv-32")
    model = latency(space)
    cheapest = sum(
        min(sum(model.table[op].median_us for op in choice) for choice in slot.options) for slot in space.slots
    )
    budget = Budget.latency(model, tight * cheapest / 1e3)
    problem = Problem(space, additive(space), model, (budget,))
    found = search(problem, NSGA2Strategy(problem, population=30), 200)
    assert feasible([budget], found.population).all()
    assert len(found) >= least
    assert found.stopped == ("evaluations" if tight == 2.0 else "exhausted")
    check_strategy(partial(NSGA2Strategy, population=20), space, 8, budgets=[budget])


def test_a_budget_costs_no_accuracy_inside_it(chain, additive, latency, enumerated):
    """It ends at the best network inside the budget, which 4,096 looks would find for certain."""
    space = chain(genes=6, values=4)
    for seed in range(3):
        model, every = latency(space, seed), enumerated(space)
        limit = float(np.quantile(model.predict(every).upper_ms, 0.2))
        budget = Budget.latency(model, limit)
        problem = Problem(space, additive(space, seed), model, (budget,), fast_enough_ms=0.8 * limit)
        strategy = NSGA2Strategy(problem, seed=seed, population=40)
        best = problem.best(problem.evaluate(every))
        assert search(problem, strategy, 800).accuracy.max() == pytest.approx(best.accuracy[0], abs=1e-12)


def test_warm_starts_are_kept_as_they_are_inside_and_brought_inside_where_they_are_not():
    inside, outside = [1, 1, 0, 0, 0, 0, 0, 0], [1] * 8
    problem = Problem(MACRO, Unasked(), budgets=(layers(3),))
    first = NSGA2Strategy(problem, population=20, warm_start=np.array([inside, outside, inside])).suggest()
    assert first[0].tolist() == inside
    assert feasible([layers(3)], first).all()
    assert first[1].tolist() not in (inside, outside)
    assert len(np.unique(first, axis=0)) == len(first)


def test_without_milliseconds_accuracy_alone_counts(chain, additive, enumerated):
    space = chain(genes=6, values=4)
    problem = Problem(space, additive(space))
    truth = problem.evaluate(enumerated(space)).accuracy.max()
    assert search(problem, NSGA2Strategy(problem, population=40), 800).accuracy.max() == pytest.approx(truth)


def test_below_fast_enough_being_faster_is_worth_nothing():
    strategy = NSGA2Strategy(Problem(MACRO, Unasked(), fast_enough_ms=2.0), population=20)
    first = strategy.suggest()
    strategy.update(made_up(first, np.linspace(1.0, 3.0, len(first))))
    survivors = strategy._algorithm.pop.get("F")
    assert survivors[:, 1].min() == 2.0
    assert survivors[:, 1].max() == 3.0


def test_same_seed_same_answer_under_a_budget(chain, additive, latency):
    space = chain()
    model = latency(space)
    budget = Budget.latency(model, float(np.median(model.predict(space.sample(np.random.default_rng(0), 99)).upper_ms)))
    problem = Problem(space, additive(space), model, (budget,))
    a, b, c = (search(problem, NSGA2Strategy(problem, seed=seed, population=30), 300) for seed in (5, 5, 6))
    assert np.array_equal(a.population, b.population)
    assert not np.array_equal(a.population, c.population)


def test_an_impossible_budget_names_the_nearest_network():
    impossible = Budget("ms", 1.0, lambda population: 2.0 + population.sum(axis=1))
    with pytest.raises(InfeasibleBudget, match="the closest is 00000000 with 2 ms"):
        NSGA2Strategy(Problem(MACRO, Unasked(), budgets=(impossible,)))
