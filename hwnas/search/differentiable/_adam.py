"""Distributions of one number per value of a gene, which Adam learns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hwnas.search.budget import Budget
from hwnas.search.differentiable._base import Distribution, require_finite
from hwnas.spaces import SearchSpace

_BETAS, _EPSILON = (0.5, 0.999), 1e-8


class AdamDistribution(Distribution):
    """`numbers` [genes, values] are moved by Adam with betas .5 and .999, as DARTS and its kin do.

    With one step size for all: a budget weighs what genes gain against what they cost, and a step size of each number's
    own would make all gains alike.
    """

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.1):
        super().__init__(space, budgets, learning_rate)
        self.numbers = torch.zeros(self.allowed.shape, dtype=torch.float64, requires_grad=True)
        self._mean = torch.zeros_like(self.numbers)
        self._square, self._steps = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        self.keep_budgets()

    def step(self, loss: Tensor) -> None:
        """One step of Adam (Kingma & Ba 2015)."""
        require_finite(loss)
        (slope,) = torch.autograd.grad(loss, self.numbers)
        first, second = _BETAS
        with torch.no_grad():
            self._steps += 1
            self._mean.lerp_(slope, 1 - first)
            self._square.lerp_(slope.square().mean(), 1 - second)
            size = (self._square / (1 - second**self._steps)).sqrt() + _EPSILON
            self.numbers -= self.learning_rate * self._mean / (1 - first**self._steps) / size
        self.keep_budgets()

    @torch.no_grad()
    def move_to(self, probabilities: Tensor) -> None:
        """The numbers of this mean."""
        self.numbers.copy_(torch.where(self.allowed, self.numbers_of(probabilities), 0.0))

    @abstractmethod
    def numbers_of(self, probabilities: Tensor) -> Tensor:
        """The numbers [genes, values] whose mean is given."""

    def tensors(self) -> Mapping[str, Tensor]:
        """Numbers and moments too."""
        moments = {"mean": self._mean, "square": self._square, "steps": self._steps}
        return {**super().tensors(), "numbers": self.numbers, **moments}
