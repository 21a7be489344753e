"""Ask / tell search over a space, and the problem it solves: accuracy against milliseconds under a budget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy import AccuracyEstimator
from hwnas.search.budget import Budget, InfeasibleBudget, descend, feasible
from hwnas.search.exact.network import cheapest
from hwnas.search.pareto import pareto_front
from hwnas.spaces import Genotype, Population, SearchSpace
from latency_tables import HwnasError, LatencyModel
from latency_tables.additive.factors import NotSeparable
from latency_tables.arrays import Floats


@dataclass(frozen=True)
class Evaluated:
    """Genotypes [n, genes] with accuracy, its deviation, milliseconds and their upper bound, each [n].

    Milliseconds are NaN where a problem has no latency.
    """

    population: Population
    accuracy: Floats
    std: Floats
    ms: Floats
    upper_ms: Floats

    def __len__(self) -> int:
        return len(self.population)

    def __getitem__(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Evaluated:
        return Evaluated(
            self.population[index], self.accuracy[index], self.std[index], self.ms[index], self.upper_ms[index]
        )

    def within(self, budget_ms: float) -> Evaluated:
        """Those whose *upper* latency bound is inside the budget."""
        return self[self.upper_ms <= budget_ms]

    def front(self) -> Evaluated:
        """The Pareto front of accuracy (up) against milliseconds (down), fastest first."""
        return self[pareto_front(self.accuracy, self.ms)]


def concat(parts: Sequence[Evaluated]) -> Evaluated:
    """Evaluations one after another."""
    return Evaluated(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Evaluated)))


@dataclass(frozen=True)
class Problem:
    """What a search is about: the accuracy, and the latency where one is known, of any genotype of `space`.

    `budgets` are hard: strategies that are made for them suggest nothing outside.
    """

    space: SearchSpace
    accuracy: AccuracyEstimator
    latency: LatencyModel | None = None
    budgets: tuple[Budget, ...] = ()

    def evaluate(self, population: Population) -> Evaluated:
        """A whole population at once: accuracy by the estimator, latency by one gather and sum."""
        estimate = self.accuracy.estimate(population)
        if self.latency is None:
            unknown = np.full(len(population), np.nan)
            return Evaluated(population, estimate.mean, estimate.std, unknown, unknown)
        latency = self.latency.predict(population)
        return Evaluated(population, estimate.mean, estimate.std, latency.ms, latency.upper_ms)

    def best(self, evaluated: Evaluated) -> Evaluated:
        """The most accurate one that keeps every budget, [1], the first of equals; [0] where none does."""
        inside = evaluated[feasible(self.budgets, evaluated.population)]
        return inside[np.argsort(-inside.accuracy, kind="stable")[:1]]


class SpaceExhausted(HwnasError):
    """Every network that keeps the budgets has been suggested."""


class SearchStrategy(ABC):
    """Proposes genotypes and learns from what they turn out to be."""

    @abstractmethod
    def suggest(self) -> Population:
        """The next genotypes to evaluate, [n, genes], n >= 1; raises `SpaceExhausted` when none is left."""

    @abstractmethod
    def update(self, evaluated: Evaluated) -> None:
        """Learn from the evaluation of the last suggestion, in the same order."""


def fastest(space: SearchSpace, latency: LatencyModel, starts: int = 4) -> Genotype:
    """The network with the lowest predicted upper bound: exact where latency adds up over genes, or all can be listed.

    Elsewhere the best of `starts` steepest descents.
    """
    upper_ms = Budget.latency(latency, np.inf).cost
    try:
        return cheapest(space, upper_ms)
    except NotSeparable:
        return descend(space, upper_ms, starts)


def require_feasible(space: SearchSpace, latency: LatencyModel, budget_ms: float) -> None:
    """Raise `InfeasibleBudget` at once, with the fastest network, when nothing can be inside the budget."""
    if not np.isfinite(budget_ms) or budget_ms <= 0:
        raise InfeasibleBudget(f"a budget must be more than 0 ms, got {budget_ms:g}")
    arch = fastest(space, latency)
    prediction = latency.predict(arch[None])
    if prediction.upper_ms[0] > budget_ms:
        raise InfeasibleBudget(
            f"no network of {space.name} fits {budget_ms:g} ms: the fastest is {space.to_text(arch)} with "
            f"{prediction.ms[0]:.4g} ms (upper bound {prediction.upper_ms[0]:.4g} ms); give a larger budget"
        )
