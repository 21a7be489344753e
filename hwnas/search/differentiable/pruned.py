"""Categorical distributions that lose their worst values (DDPNAS, Zheng et al. 2019 / 2023).

"Dynamic Distribution Pruning for Efficient Network Architecture Search": networks are drawn such that every value of
every gene is tried equally often; after some such rounds the worst value of each gene goes, until one is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.search.budget import Budget
from hwnas.search.differentiable.softmax import SoftmaxDistribution
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

_MOMENTUM = 0.9


class PrunedDistribution(SoftmaxDistribution):
    """Numbers rise by what the networks with a value gained; `tries` networks per value, then the worst goes."""

    def __init__(
        self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.3, tries: int = 150
    ):
        super().__init__(space, budgets, learning_rate)
        self.tries = tries
        self._tried = np.zeros(self.allowed.shape, dtype=np.int64)
        self._velocity = torch.zeros_like(self.numbers)

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """As many networks with each value that is left of a gene as with any other, [n, genes]."""
        columns = [_in_turn(np.flatnonzero(row), rng, n) for row in self.allowed.numpy()]
        return self.space.canonical(np.stack(columns, axis=1))

    def learn(self, population: Population, gains: Floats) -> None:
        """Every value by the mean gain of its networks."""
        total, seen = np.zeros(self._tried.shape), np.zeros_like(self._tried)
        genes = np.arange(population.shape[1])
        for arch, gain in zip(population, gains, strict=True):
            total[genes, arch] += gain
            seen[genes, arch] += 1
        mean = torch.from_numpy(total / np.maximum(seen, 1))
        self._velocity = _MOMENTUM * self._velocity + (1 - _MOMENTUM) * mean
        with torch.no_grad():
            self.numbers += self.learning_rate * self._velocity
        self._tried += seen
        self.keep_budgets()
        left = self.allowed.numpy().sum(axis=1) > 1
        if (self._tried[self.allowed.numpy()] >= self.tries).all() and left.any():
            self._prune_worst(np.flatnonzero(left))

    def _prune_worst(self, genes: NDArray[np.int64]) -> None:
        for gene in genes:
            likely = torch.where(self.allowed[gene], self.probabilities().detach()[gene], torch.inf)
            for value in likely.argsort()[: int(self.allowed[gene].sum()) - 1]:
                if self.prune(int(gene), int(value)):
                    break
        self._tried[:] = 0


def _in_turn(values: NDArray[np.int64], rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    rounds = [rng.permutation(values) for _ in range(-(-n // len(values)))]
    found: NDArray[np.int64] = np.concatenate(rounds)[:n]
    return found
