"""What PredNAS asks of a predictor: an answer that can be differentiated in the features of a network."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from hwnas.accuracy.predictors._ranks import RankPredictor
from hwnas.spaces import Population
from latency_tables.arrays import Floats


class DifferentiablePredictor(RankPredictor):
    """A predictor whose score is a smooth function of real features, computed in their precision."""

    # How genotypes are asked about: in which precision, and how many together, for more would not stay in the caches.
    asked_in, at_once = torch.float64, 1024

    @abstractmethod
    def features(self, population: Population) -> Tensor:
        """Features [n, f] of genotypes [n, genes], float64."""

    @abstractmethod
    def latent(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean score and its deviation, each [n], of features [n, f]; differentiable."""

    def scores(self, population: Population) -> tuple[Floats, Floats]:
        """As `latent`, in numpy, of genotypes [n, genes]."""
        parts = np.array_split(population, max(1, -(-len(population) // self.at_once)))
        with torch.no_grad():
            answers = [self.latent(self.features(part).to(self.asked_in)) for part in parts]
        means, stds = zip(*answers, strict=True)
        return torch.cat(means).double().numpy(), torch.cat(stds).double().numpy()
