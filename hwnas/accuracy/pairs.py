"""What an accuracy model learns from, and how well it ranks what it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from hwnas.accuracy._base import Predictor
from hwnas.spaces import Population

FOLDS = 5


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


def cross_validated(predictor: Predictor, pairs: Pairs, seed: int = 0) -> PredictorFit:
    """How a predictor does on each fifth of the pairs, fitted on the others; every pair is predicted once.

    Fifths are drawn at random by `seed`. The predictor is left fitted on the last ones.
    """
    predicted = np.empty(len(pairs.accuracy))
    for out in folds(len(pairs.accuracy), seed):
        predictor.fit(pairs.population[~out], pairs.accuracy[~out])
        predicted[out] = predictor.estimate(pairs.population[out]).mean
    return PredictorFit(tuple(pairs.accuracy.tolist()), tuple(predicted.tolist()))


def folds(count: int, seed: int) -> list[np.ndarray]:
    """Which of `count` pairs are held out, [count] of bool each: five times a random fifth."""
    fold = np.random.default_rng(seed).permutation(count) % min(FOLDS, count)
    return [fold == i for i in np.unique(fold)]
