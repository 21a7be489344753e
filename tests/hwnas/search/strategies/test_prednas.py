"""PredNAS: the derivative is exact, the climb ends at the top, and no step leaves the budget."""

import numpy as np
import pytest
import torch

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, Evaluated, PredNASStrategy, Problem, search
from hwnas.spaces import NasBench201, NasBenchMacro, every_network

CELLS, MACRO = NasBench201(), NasBenchMacro()


class Unasked(AccuracyEstimator):
    """Answers are made up by the tests."""

    def estimate(self, population):
        return AccuracyEstimate(*np.zeros((2, len(population))))


def told(strategy, archs, accuracy):
    nan = np.full(len(archs), np.nan)
    strategy.observe(Evaluated(archs, accuracy, 0 * accuracy, nan, nan))
    strategy.predictor.fit(archs, accuracy)
    return strategy


def worth(archs):
    """Each op has its worth, and a pair of convolutions in a row is worth more than two."""
    alone = np.array([0.0, 0.03, 0.05, 0.08, 0.02])[archs].sum(axis=1)
    return 0.3 + alone + 0.03 * ((archs[:, 0] == 3) & (archs[:, 2] == 3)) - 0.05 * (archs[:, 3] == 0)


@pytest.fixture(scope="module")
def fitted():
    archs = np.unique(CELLS.sample(np.random.default_rng(0), 80), axis=0)
    return told(PredNASStrategy(Problem(CELLS, Unasked())), archs, worth(archs))


def test_the_derivative_is_that_of_expected_features(fitted):
    """Against finite differences of the bound at features averaged over a relaxed architecture."""
    here = fitted.memory.best(3)
    around, gains = fitted._gains(here)
    at = fitted.predictor.features(here)
    moved = fitted.predictor.features(around.reshape(-1, 6)).reshape(3, -1, at.shape[1])
    share = 1e-5  # of the probability, moved to another choice
    for move in range(gains.shape[1]):
        relaxed = (1 - share) * at + share * moved[:, move]
        with torch.no_grad():
            rise = [
                sum(w * p for w, p in zip((1, 2.0), fitted.predictor.latent(f), strict=True)) for f in (at, relaxed)
            ]
        assert gains[:, move] == pytest.approx(((rise[1] - rise[0]) / share).numpy(), rel=1e-2, abs=1e-3)


def test_the_climb_finds_the_top_of_the_whole_space(fitted):
    every = every_network(CELLS)
    bounds = fitted.bound(fitted.memory.new(every))
    proposed = fitted.propose()[:1]
    assert fitted.bound(proposed)[0] == pytest.approx(bounds.max(), abs=1e-9)


def test_a_climb_never_goes_down(fitted):
    for start in CELLS.sample(np.random.default_rng(3), 5):
        visited = fitted.ascend(start[None])
        assert np.array_equal(visited[0], start)
        assert fitted.bound(visited).max() >= fitted.bound(start[None])[0]


def test_one_step_may_change_many_genes(fitted):
    here = np.full((1, 6), 1)  # skips
    around, gains = fitted._gains(here)
    changed = (fitted._offers(here, around, gains)[0] != 1).sum(axis=1)
    assert changed.max() > 2


@pytest.mark.parametrize("limit", [2.0, 7.0, 16.0])
def test_no_network_that_is_passed_is_over_budget(limit):
    budget = Budget("size", limit, lambda population: population.sum(axis=1).astype(float))
    strategy = PredNASStrategy(Problem(MACRO, Unasked(), budgets=(budget,)))
    archs = strategy.memory.random_new(30)
    told(strategy, archs, 0.5 + 0.02 * archs.sum(axis=1))
    visited = strategy.ascend(strategy.memory.random_new(6))
    assert budget.cost(visited).max() == limit  # up to the limit, and not beyond
    assert strategy.memory.new(every_network(MACRO)).sum(axis=1).max() <= limit


@pytest.mark.slow
def test_the_best_network_under_a_budget_is_found():
    """Large layers are worth most, but the budget pays for few: a knapsack with one right answer."""
    gain = np.array([0.01, 0.03, 0.02, 0.05, 0.01, 0.04, 0.02, 0.03])

    class Knapsack(AccuracyEstimator):
        def estimate(self, population):
            layers = MACRO.functions(population)  # networks that compute the same are worth the same
            mean = 0.5 + (layers > 0) @ gain + 0.6 * (layers == 2) @ gain
            return AccuracyEstimate(mean, np.zeros(len(mean)))

    budget = Budget("ms", 8.0, lambda population: np.array([0.0, 1.0, 2.5])[population].sum(axis=1))
    every = every_network(MACRO)
    inside = every[budget.cost(every) <= 8]
    best = Knapsack().estimate(inside).mean.max()
    for seed in range(2):
        problem = Problem(MACRO, Knapsack(), budgets=(budget,))
        found = search(problem, PredNASStrategy(problem, seed=seed), 50)
        assert found.accuracy.max() == pytest.approx(best)


def test_batches_are_distinct():
    strategy = PredNASStrategy(Problem(CELLS, Unasked()), batch=6)
    strategy.predictor.steps = 5
    for _ in range(3):
        batch = strategy.suggest()
        assert len(np.unique(batch, axis=0)) == len(batch) <= 6
        nan = np.full(len(batch), np.nan)
        strategy.update(Evaluated(batch, worth(batch), 0 * nan, nan, nan))
    assert len(strategy.memory) == 13  # one to begin with, then sixes
