"""Gaussians over the logits of each gene (BaLeNAS, Zhang et al. 2022, "Balance the Learning of Architectures")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hwnas.search.budget import Budget
from hwnas.search.differentiable._base import Distribution, require_finite
from hwnas.spaces import SearchSpace

_FIRST, _DECAY = 1.0, 0.95
_PRIOR = 1e-3


class GaussianDistribution(Distribution):
    """Logits are drawn around their means; a natural gradient moves means and spreads (variational online Newton).

    A value that many losses said something of is drawn more narrowly. All move by one step size: with each its own, a
    budget could not weigh what genes gain against what they cost. No closed form is known for the mean of a softmax of
    a Gaussian: the softmax of the means stands for it.
    """

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.3):
        super().__init__(space, budgets, learning_rate)
        self.means = torch.zeros(self.allowed.shape, dtype=torch.float64, requires_grad=True)
        self._scale = torch.full(self.allowed.shape, _FIRST, dtype=torch.float64)  # of squared gradients
        self._steps = torch.zeros((), dtype=torch.float64)
        self.keep_budgets()

    @property
    def spread(self) -> Tensor:
        """The deviations of the logits, [genes, values]."""
        return 1 / torch.sqrt(1 + self._steps * (self._scale + _PRIOR))

    def probabilities(self) -> Tensor:
        """The softmax of the means."""
        return torch.softmax(self.means.masked_fill(~self.allowed, -torch.inf), dim=1)

    def relaxed(self, generator: torch.Generator) -> Tensor:
        """The softmax of drawn logits."""
        noise = torch.randn(self.allowed.shape, generator=generator, dtype=torch.float64)
        drawn = self.means + self.spread * noise
        return torch.softmax(drawn.masked_fill(~self.allowed, -torch.inf), dim=1)

    def step(self, loss: Tensor) -> None:
        """One natural-gradient step."""
        require_finite(loss)
        (slope,) = torch.autograd.grad(loss, self.means)
        with torch.no_grad():
            self._steps += 1
            self._scale.mul_(_DECAY).add_((1 - _DECAY) * slope.square())
            self.means -= self.learning_rate * (slope + _PRIOR * self.means) / (self._scale.mean() + _PRIOR)
        self.keep_budgets()

    @torch.no_grad()
    def move_to(self, probabilities: Tensor) -> None:
        """Means move by what the logarithms differ, the nearest of Gaussians with the same spreads."""
        there, now = (p.clamp_min(1e-30).log() for p in (probabilities, self.probabilities()))
        self.means += torch.where(self.allowed, there - now, 0.0)

    def tensors(self) -> Mapping[str, Tensor]:
        """Means and spreads too."""
        return {**super().tensors(), "means": self.means, "scale": self._scale, "steps": self._steps}
