"""The fitness of branches: a Bernoulli variable each, dropped when it falls too low (NSE: Ci et al. 2021)."""

from __future__ import annotations

import numpy as np
import torch

from hwnas.search.budget import feasible
from hwnas.search.differentiable import SoftmaxDistribution, draw_spread, evenly
from hwnas.search.differentiable.projection import project
from hwnas.spaces import Population
from latency_tables.arrays import Floats

_TOO_LOW = -2.0  # the paper's threshold


class FitnessDistribution(SoftmaxDistribution):
    """Every gene says whether a branch is there; a branch whose fitness falls below -2 goes for good.

    None goes without which the budgets could not be used: how much is affordable, they say, and not fitness. The paper
    learns fitness by a straight-through gradient of branches that are drawn together, and drops all that fall.
    """

    learning_begins, learns_every = 0.4, 2
    _projected: tuple[bytes, Floats] = b"", np.zeros((0, 0))

    @torch.no_grad()
    def fitness(self) -> Floats:
        """Logarithm of the odds that a branch is there, [genes]; -69 where it cannot be."""
        logs = self.probabilities().clamp_min(1e-30).log()
        found: Floats = (logs[:, 1] - logs[:, 0]).numpy()
        return found

    def anneal(self, progress: float) -> None:
        """Drop what has become too unfit, the least fit first, unless all that would be left fits the budgets."""
        fitness = self.fitness()
        for gene in np.argsort(fitness):
            if fitness[gene] >= _TOO_LOW:
                return
            if self.allowed[gene].all():
                left = self.allowed[:, 1].long().numpy()
                left[gene] = 0
                if feasible(self.budgets, left[None]).all():
                    return
                self.prune(int(gene), 1)

    def trials(self, rng: np.random.Generator, n: int) -> Population:
        """Every branch that is left as often as any other, as far as the budgets let it, [n, genes].

        The paper has every branch in half of the networks; then most are larger than any that is looked for.
        """
        return draw_spread(self._even, rng, n)

    @property
    def _even(self) -> Floats:
        """Projected anew only when a branch has gone: a projection takes a fifth of a training step."""
        key = self.allowed.numpy().tobytes()
        if self._projected[0] != key:
            self._projected = key, project(self.space, evenly(self.allowed), self.budgets)
        return self._projected[1]
