"""Distributions of one number per value of a gene, which Adam learns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.search.budget import Budget
from hwnas.search.differentiable._base import Distribution, require_finite
from hwnas.spaces import SearchSpace


class AdamDistribution(Distribution):
    """`numbers` [genes, values] are moved by Adam with betas .5 and .999, as DARTS and its kin do."""

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.1):
        super().__init__(space, budgets, learning_rate)
        self.numbers = torch.zeros(self.allowed.shape, dtype=torch.float64, requires_grad=True)
        self._optimizer = torch.optim.Adam([self.numbers], learning_rate, betas=(0.5, 0.999))
        self.keep_budgets()

    def step(self, loss: Tensor) -> None:
        """One step of Adam."""
        require_finite(loss)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.keep_budgets()

    @torch.no_grad()
    def move_to(self, probabilities: Tensor) -> None:
        """The numbers of this mean."""
        self.numbers.copy_(torch.where(self.allowed, self.numbers_of(probabilities), 0.0))

    @abstractmethod
    def numbers_of(self, probabilities: Tensor) -> Tensor:
        """The numbers [genes, values] whose mean is given."""
