"""What an accuracy model learns from, and how well it ranks what it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from hwnas.spaces import Population

HELD_OUT = 0.2
"""The share of pairs on which a predictor is judged before it is fitted on all."""


@dataclass(frozen=True)
class Pairs:
    """Genotypes [n, genes] and their accuracies [n]."""

    population: Population
    accuracy: np.ndarray


@dataclass(frozen=True)
class PredictorFit:
    """How a predictor did on pairs it had not seen: accuracies, its predictions, Kendall's tau."""

    true: tuple[float, ...]
    predicted: tuple[float, ...]

    @property
    def tau(self) -> float:
        """Kendall's tau; NaN when it is not defined."""
        return float(kendalltau(self.true, self.predicted)[0])
