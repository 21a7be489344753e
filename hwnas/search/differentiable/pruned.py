"""Categorical distributions that lose their worst values (DDPNAS, Zheng et al. 2023).

"DDPNAS: Efficient Neural Architecture Search via Dynamic Distribution Pruning": networks are drawn such that every
value of every gene is tried equally often; from time to time the worst value of each gene goes, until one is left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from hwnas.search.budget import Budget
from hwnas.search.differentiable._base import draw_spread, evenly, standardised
from hwnas.search.differentiable.softmax import SoftmaxDistribution
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

_MOMENTUM = 0.9


class PrunedDistribution(SoftmaxDistribution):
    """Numbers rise by what the networks with a value gained; in equal parts of a training the worst value goes."""

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.3):
        super().__init__(space, budgets, learning_rate)
        self._velocity = torch.zeros_like(self.numbers)

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """As many networks with each value that is left of a gene as with any other, [n, genes]."""
        return self.space.canonical(self.trials(rng, n))

    def trials(self, rng: np.random.Generator, n: int) -> Population:
        """The same, not canonical."""
        return draw_spread(evenly(self.allowed), rng, n)

    def learn(self, population: Population, worth: Floats) -> None:
        """Every value by what its networks gain on the others, on average."""
        total, seen = np.zeros(self.allowed.shape), np.zeros(self.allowed.shape)
        genes = np.arange(population.shape[1])
        for arch, gain in zip(population, standardised(worth), strict=True):
            total[genes, arch] += gain
            seen[genes, arch] += 1
        self._velocity.lerp_(torch.from_numpy(total / np.maximum(seen, 1)), 1 - _MOMENTUM)
        with torch.no_grad():
            self.numbers += self.learning_rate * self._velocity
        self.keep_budgets()

    @torch.no_grad()
    def follow(self, gains: Tensor, generator: torch.Generator) -> None:
        """Numbers rise by the gains."""
        self.numbers += self.learning_rate * gains
        self.keep_budgets()

    def anneal(self, progress: float) -> None:
        """Leave each gene the share of its values that is still to come, one at least."""
        for gene, values in enumerate(self.space.cardinalities):
            while int(self.allowed[gene].sum()) > max(1, math.ceil(values * (1 - progress))):
                if not self._prune_worst(gene):
                    break

    def _prune_worst(self, gene: int) -> bool:
        likely = torch.where(self.allowed[gene], self.probabilities().detach()[gene], torch.inf)
        values = likely.argsort()[: int(self.allowed[gene].sum())]
        return any(self.prune(gene, int(value)) for value in values)

    def tensors(self) -> Mapping[str, Tensor]:
        """What values have gained, too."""
        return {**super().tensors(), "velocity": self._velocity}
