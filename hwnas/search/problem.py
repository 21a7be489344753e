"""The problem of a search, told once: the accuracy of networks against their milliseconds, within budgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnas.accuracy import AccuracyEstimator
from hwnas.search.budget import Budget, feasible
from hwnas.search.evaluated import Evaluated
from hwnas.spaces import Population, SearchSpace
from latency_tables import LatencyModel


@dataclass(frozen=True)
class Problem:
    """What a search is about: the accuracy, and the latency where one is known, of any genotype of `space`.

    `budgets` are hard: strategies suggest nothing outside. Below `fast_enough_ms` a faster network is worth no more:
    a strategy that trades accuracy for milliseconds need not look for one.
    """

    space: SearchSpace
    accuracy: AccuracyEstimator
    latency: LatencyModel | None = None
    budgets: tuple[Budget, ...] = ()
    fast_enough_ms: float = 0.0

    def evaluate(self, population: Population) -> Evaluated:
        """A whole population [n, genes] at once: accuracy by the estimator, latency by one gather and sum."""
        estimate = self.accuracy.estimate(population)
        if self.latency is None:
            unknown = np.full(len(population), np.nan)
            return Evaluated(population, estimate.mean, estimate.std, unknown, unknown)
        latency = self.latency.predict(population)
        return Evaluated(population, estimate.mean, estimate.std, latency.ms, latency.upper_ms)

    def inside(self, evaluated: Evaluated) -> Evaluated:
        """Those that keep every budget, in their order."""
        return evaluated[feasible(self.budgets, evaluated.population)]

    def best(self, evaluated: Evaluated) -> Evaluated:
        """The most accurate one that keeps every budget, [1], the first of equals; [0] where none does."""
        inside = self.inside(evaluated)
        return inside[np.argsort(-inside.accuracy, kind="stable")[:1]]
