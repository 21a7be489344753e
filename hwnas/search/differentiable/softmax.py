"""Softmax over the values of each gene (DARTS, Liu et al. 2019), learned with Adam."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.search.budget import Budget
from hwnas.search.differentiable._adam import AdamDistribution
from hwnas.spaces import SearchSpace


class SoftmaxDistribution(AdamDistribution):
    """Probabilities are a softmax of one number per value; a draw is the mean itself.

    `entropy_weight` times the entropy is added to every loss: raised from 0 to 1 in the course of a training it makes
    the mean network one that can be built (DA2S, Tian et al. 2020, "Discretization-aware Architecture Search").
    """

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.1):
        super().__init__(space, budgets, learning_rate)
        self.entropy_weight = 0.0

    def probabilities(self) -> Tensor:
        """The softmax."""
        return torch.softmax(self.numbers.masked_fill(~self.allowed, -torch.inf), dim=1)

    def relaxed(self, generator: torch.Generator) -> Tensor:
        """The mean: nothing is drawn."""
        return self.probabilities()

    def step(self, loss: Tensor) -> None:
        """As any, with the entropy's share."""
        super().step(loss + self.entropy_weight * self.entropy().sum() if self.entropy_weight else loss)

    def numbers_of(self, probabilities: Tensor) -> Tensor:
        """Their logarithms."""
        return probabilities.clamp_min(1e-30).log()
