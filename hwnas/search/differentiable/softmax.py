"""Softmax over the values of each gene: DARTS, and DA2S where its entropy is annealed."""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.search.differentiable._adam import AdamDistribution
from hwnas.search.differentiable.likely import most_probable

_END = 0.95


class SoftmaxDistribution(AdamDistribution):
    """Probabilities are a softmax of one number per value; a draw is the mean itself (DARTS, Liu et al. 2019)."""

    def probabilities(self) -> Tensor:
        """The softmax."""
        return torch.softmax(self.numbers.masked_fill(~self.allowed, -torch.inf), dim=1)

    def relaxed(self, generator: torch.Generator) -> Tensor:
        """The mean: nothing is drawn."""
        return self.probabilities()

    def numbers_of(self, probabilities: Tensor) -> Tensor:
        """Their logarithms."""
        return probabilities.clamp_min(1e-30).log()


class AnnealedDistribution(SoftmaxDistribution):
    """Ends at a network that can be built (DA2S, Tian et al. 2020, "Discretization-aware Architecture Search").

    The entropy is added to every loss, with a weight that rises from 0 to 1 in the course of the learning. Where a
    budget binds, it holds one gene between two values whatever the weight; so at the end only the most probable network
    inside the budgets is left.
    """

    weight: float = 0.0

    def anneal(self, progress: float) -> None:
        """The weight of the entropy; for the last twentieth of the learning, the network."""
        self.weight = progress
        if progress >= _END and int(self.allowed.sum()) > len(self.allowed):
            arch = most_probable(self.space, self.mean(), self.budgets)
            self.allowed.zero_()
            self.allowed[torch.arange(len(arch)), torch.from_numpy(arch)] = True
            self.move_to(self.allowed.double())

    def step(self, loss: Tensor) -> None:
        """As any, with the entropy's share."""
        super().step(loss + self.weight * self.entropy().sum())
