"""BOCS (Baptista & Poloczek 2018, ICML, "Bayesian Optimization of Combinatorial Structures").

For accuracies that cost little to ask, such as a neural predictor's, over spaces of any size. As in BOCS, a sparse
linear model of the choices is fitted by Bayesian regression, functions are drawn from its posterior (Thompson 1933,
"On the likelihood that one unknown probability exceeds another"), and the maximum of each is what is evaluated next.
Three things differ. The model has no pairs of choices and a ridge prior, and it is fitted to the best networks seen,
among which accuracy is nearly a sum; each function is then maximised exactly within the budgets by dynamic programming,
where BOCS relaxes the problem to a semidefinite programme. Each round evaluates many networks, the neighbours of the
best among them. When several rounds find nothing better, the search starts again with more networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from hwnas.search.budget import Budget, feasible
from hwnas.search.evaluated import Evaluated
from hwnas.search.exact.front import exact_front
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population, unique_genotypes
from latency_tables.additive import Factors
from latency_tables.arrays import Floats

_PENALTY = 0.3  # on a coefficient, as precise as so many networks
_PATIENCE = 3  # rounds with nothing better
_MOST = 4000  # networks that a surrogate is fitted to
_CLIMBED = 3  # networks whose neighbours are asked


@dataclass(eq=False, kw_only=True)
class BOCSStrategy(MemoryStrategy):
    """Starts from `first` random networks, twice as many at every new start; asks about `batch` at a time.

    Raises `NotSeparable` for a space whose slots follow too many genes for tables.
    """

    first: int = 400
    batch: int = 100
    draws: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._size, self._begun = self.first, False
        self._forget()

    def _forget(self) -> None:
        """What this start has seen, but not what was answered."""
        self._pool = np.zeros(0, dtype=np.int64)  # rows of the memory
        self._in_vain = 0

    def choose(self) -> Population:
        """Random networks at a start, then those that surrogates propose."""
        while self._begun and self._in_vain < _PATIENCE:
            self._in_vain += 1
            proposed = unique_genotypes(self._proposed())
            rows = self.memory.rows(proposed)
            self._learn(rows[(rows >= 0) & ~np.isin(rows, self._pool)])  # by an earlier start
            if (rows < 0).any():
                fresh: Population = proposed[rows < 0]
                return fresh
        if self._begun:
            self._size = min(2 * self._size, _MOST)
            self._forget()
        self._begun = True
        return self.memory.random_new(self._size)

    def observe(self, evaluated: Evaluated) -> None:
        """Remember the answers."""
        before = len(self.memory)
        super().observe(evaluated)
        self._learn(np.arange(before, len(self.memory)))

    def _learn(self, rows: NDArray[np.int64]) -> None:
        """Networks of the memory join this start's."""
        accuracy = self.memory.accuracy
        if accuracy[rows].max(initial=-np.inf) > accuracy[self._pool].max(initial=-np.inf):
            self._in_vain = 0
        self._pool = np.concatenate([self._pool, rows])

    def _proposed(self) -> Population:
        """Networks within the budgets that surrogates hold for the best, and neighbours of the best seen."""
        pool, values = self.memory.population[self._pool], self.memory.accuracy[self._pool]
        best = np.argsort(-values, kind="stable")[: self._size]
        fronts = self._fronts(pool[best], values[best])
        around = [self.space.neighbours(pool[i]) for i in best[:_CLIMBED]]
        proposed = np.concatenate([*fronts, *around])
        inside: Population = proposed[feasible(self.memory.budgets, proposed)]
        return inside

    def _fronts(self, population: Population, accuracy: Floats) -> list[Population]:
        """For each draw from the posterior, given networks [n, genes] and accuracies [n], the best networks by it.

        The last of its Pareto front against what the budgets count, mixed anew each time where they are many.
        """
        slots, rng, count = self.space.layout, self.memory.rng, self.batch // self.draws
        features = slots.one_hot(population)
        costs = [self._share(budget, features, population) for budget in self.memory.budgets]
        found = []
        for coefficients in _posterior_draws(features, accuracy, self.draws if costs else self.draws * count, rng):
            front = exact_front(self.space, slots.linear(coefficients), self._mixed(costs), 1.0 if costs else np.inf)
            found.append(front.population[-count:])
        return found

    def _share(self, budget: Budget, features: Floats, population: Population) -> Factors:
        """The share of a budget that networks cost; where it does not add up, the nearest that does."""
        if isinstance(budget.cost, Factors):
            return budget.cost.scaled(1 / budget.limit)
        nearest = np.linalg.lstsq(features, budget.cost(population) / budget.limit, rcond=None)[0]
        return self.space.layout.linear(np.asarray(nearest, dtype=np.float64))

    def _mixed(self, costs: Sequence[Factors]) -> Factors:
        """An average of costs with random weights: it is within its limit wherever each of them is."""
        if len(costs) == 1:
            return costs[0]
        mixed = Factors(self.space.cardinalities, {})
        for weight, cost in zip(self.memory.rng.dirichlet(np.ones(len(costs))) if costs else (), costs, strict=True):
            mixed = mixed.plus(cost.scaled(float(weight)))
        return mixed


def _posterior_draws(features: Floats, accuracy: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Coefficients [draws, f] of Bayesian ridge regression, the mean first, of accuracies [n] on features [n, f]."""
    design = np.column_stack([features, np.ones(len(features))])
    scores = (accuracy - accuracy.mean()) / (accuracy.std() or 1.0)
    root = cholesky(design.T @ design + _PENALTY * np.eye(design.shape[1]), lower=True)
    mean = cho_solve((root, True), design.T @ scores)
    noise = np.sqrt(np.square(scores - design @ mean).sum() / max(len(scores) - design.shape[1] / 2, 10))
    deviates = rng.standard_normal((design.shape[1], draws))
    deviates[:, 0] = 0
    drawn: Floats = mean[:, None] + noise * solve_triangular(root, deviates, lower=True, trans=1)
    return drawn[:-1].T
