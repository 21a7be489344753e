"""What PredNAS asks of a predictor: an answer that can be differentiated in the features of a network."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from hwnas.accuracy.predictors._ranks import RankPredictor
from hwnas.spaces import Population
from latency_tables.arrays import Floats


class DifferentiablePredictor(RankPredictor):
    """A predictor whose score is a smooth function of real features."""

    @abstractmethod
    def features(self, population: Population) -> Tensor:
        """Features [n, f] of genotypes [n, genes], float64."""

    @abstractmethod
    def latent(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean score and its deviation, each [n], of features [n, f]; differentiable."""

    def scores(self, population: Population) -> tuple[Floats, Floats]:
        """As `latent`, in numpy, of genotypes [n, genes]."""
        with torch.no_grad():
            mean, std = self.latent(self.features(population))
        return mean.numpy(), std.numpy()
