"""Local search starts at the best network inside the budgets that it was told of, wherever that stands."""

import numpy as np

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, LocalSearchStrategy, Problem
from hwnas.spaces import NasBenchMacro

MACRO = NasBenchMacro()


class Sizes(AccuracyEstimator):
    def estimate(self, population):
        mean = population.sum(axis=1) / 16
        return AccuracyEstimate(mean, np.zeros(len(mean)))


def test_it_starts_at_the_best_observed_inside_the_budgets():
    few = Budget("size", 6, lambda population: population.sum(axis=1).astype(float))
    problem = Problem(MACRO, Sizes(), budgets=(few,))
    best = [1, 1, 1, 1, 0, 0, 0, 0]
    strategy = LocalSearchStrategy(problem)
    strategy.observe(problem.evaluate(np.array([[0] * 8, best, [2] * 8, [1] + [0] * 7])))
    assert (strategy.suggest()[0] != best).sum() == 1
