"""Softmax over the values of each gene, of which one is drawn: NSE's fitness, where genes say whether a branch is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hwnas.search.differentiable.softmax import SoftmaxDistribution


class StraightThroughDistribution(SoftmaxDistribution):
    """A draw is one value per gene; its gradient goes to all values as if the mean had been drawn.

    The straight-through estimator of Bengio et al. 2013. With genes of two values every branch is a Bernoulli variable,
    as in NSE (Ci et al. 2021), and the number of its branch less that of its absence is the paper's fitness.
    """

    by_mixture = True

    def relaxed(self, generator: torch.Generator) -> Tensor:
        """Weights 0 and 1."""
        mean = self.probabilities()
        drawn = torch.multinomial(mean.detach(), 1, generator=generator)[:, 0]
        return one_hot(drawn, mean.shape[1]) + mean - mean.detach()
