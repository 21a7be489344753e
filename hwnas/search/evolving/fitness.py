"""The fitness of branches: a Bernoulli variable each, dropped when it falls too low (NSE: Ci et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from hwnas.search.differentiable import Distribution, StraightThroughDistribution, draw
from hwnas.search.differentiable.projection import project
from hwnas.spaces import Population
from hwnas.training.paths import PathSampler
from latency_tables.arrays import Floats

_TOO_LOW = -2.0  # the paper's threshold


class FitnessDistribution(StraightThroughDistribution):
    """Every gene says whether a branch is there; a branch whose fitness falls below -2 goes for good."""

    @torch.no_grad()
    def fitness(self) -> Floats:
        """Logarithm of the odds that a branch is there, [genes]; -69 where it cannot be."""
        logs = self.probabilities().clamp_min(1e-30).log()
        found: Floats = (logs[:, 1] - logs[:, 0]).numpy()
        return found

    def anneal(self, progress: float) -> None:
        """Drop what has become too unfit."""
        for gene in np.flatnonzero((self.fitness() < _TOO_LOW) & self.allowed.all(dim=1).numpy()):
            self.prune(int(gene), 1)


@dataclass(frozen=True)
class AllowedPaths(PathSampler):
    """Every value that a distribution allows as often as any other, as far as the budgets let it.

    The paper has every branch in half of the networks; then most are larger than any that is looked for.
    """

    distribution: Distribution
    count: int = 1
    _even: dict[bytes, Floats] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The kind and how many."""
        return f"{self.count} of those {type(self.distribution).__name__} allows"

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """Each gene on its own."""
        return draw(self.distribution.space, self._probabilities(), rng, self.count)

    def _probabilities(self) -> Floats:
        """Projected anew only when a branch has gone: a projection takes a fifth of a training step."""
        allowed = self.distribution.allowed.numpy()
        key = allowed.tobytes()
        if key not in self._even:
            even = allowed / allowed.sum(axis=1, keepdims=True)
            self._even.clear()
            self._even[key] = project(self.distribution.space, even, self.distribution.budgets)
        return self._even[key]
