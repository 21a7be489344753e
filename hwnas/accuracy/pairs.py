"""What an accuracy model learns from, and how well it ranks what it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from hwnas.accuracy._base import Predictor
from hwnas.spaces import Population

_HELD_OUT = 0.2


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


def held_out_fit(predictor: Predictor, pairs: Pairs) -> PredictorFit:
    """How a predictor, fitted on four fifths of the pairs, does on the last fifth (two at least)."""
    cut = len(pairs.accuracy) - max(2, round(_HELD_OUT * len(pairs.accuracy)))
    predicted = predictor.fit(pairs.population[:cut], pairs.accuracy[:cut]).estimate(pairs.population[cut:]).mean
    return PredictorFit(tuple(pairs.accuracy[cut:].tolist()), tuple(predicted.tolist()))
