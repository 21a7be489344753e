"""Labels as normal scores of their ranks: outliers lose their pull, the top keeps its resolution."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.stats import norm, rankdata

from hwnas.accuracy._base import AccuracyEstimate, Predictor
from hwnas.spaces import Population
from latency_tables.arrays import Floats


class ConstantLabelsWarning(UserWarning):
    """Every label is the same: there is no order to learn, and the predictor answers with that label."""


@dataclass(frozen=True)
class NormalScores:
    """A monotone map between accuracies and standard normal scores, learned from labels (van der Waerden 1952).

    `levels` are the distinct accuracies [k], ascending, and `scores` [k] what they became.
    """

    levels: Floats
    scores: Floats

    @classmethod
    def of(cls, accuracy: Floats) -> NormalScores:
        """From labels [n]; equal labels share a score."""
        levels, index = np.unique(accuracy, return_inverse=True)
        ranks = rankdata(accuracy)
        scores = np.zeros(len(levels))
        scores[index] = norm.ppf((ranks - 0.5) / len(ranks))
        return cls(levels, scores)

    def transform(self, accuracy: Floats) -> Floats:
        """Scores of accuracies [n]; straight lines between levels and beyond the ends."""
        return _along(self.levels, self.scores, accuracy)

    def inverse(self, scores: Floats) -> Floats:
        """Accuracies of scores [n]."""
        return _along(self.scores, self.levels, scores)

    def slope(self, scores: Floats, width: float = 0.5) -> Floats:
        """Accuracy per unit of score around `scores` [n]: turns deviations back."""
        rise: Floats = (self.inverse(scores + width) - self.inverse(scores - width)) / (2 * width)
        return rise


def _along(x: Floats, y: Floats, at: Floats) -> Floats:
    if len(x) == 1:
        return np.full(len(at), y[0])
    few = min(len(x) - 1, max(1, len(x) // 10))  # an end's own slope, but not that of a single pair
    low, high = (y[few] - y[0]) / (x[few] - x[0]), (y[-1] - y[-1 - few]) / (x[-1] - x[-1 - few])
    value = np.interp(at, x, y)
    value = np.where(at < x[0], y[0] + low * (at - x[0]), value)
    beyond: Floats = np.where(at > x[-1], y[-1] + high * (at - x[-1]), value)
    return beyond


class RankPredictor(Predictor):
    """A predictor that learns normal scores and turns its answers back into accuracies."""

    _labels: NormalScores | None = None

    @abstractmethod
    def learn(self, population: Population, scores: Floats) -> None:
        """Learn from genotypes [n, genes] and scores [n]; what was learned before is forgotten."""

    @abstractmethod
    def scores(self, population: Population) -> tuple[Floats, Floats]:
        """Mean score and its deviation for genotypes [n, genes], [n] each."""

    def fit(self, population: Population, accuracy: Floats) -> Self:
        """Learn from genotypes [n, genes] and accuracies [n] in 0..1; constant accuracies are predicted as such."""
        self._labels = NormalScores.of(accuracy)
        if len(self._labels.levels) == 1 < len(accuracy):
            message = (
                f"all {len(accuracy)} labels are {accuracy[0]:g}: there is nothing to learn, and that is predicted"
            )
            warnings.warn(message, ConstantLabelsWarning, stacklevel=2)
        self.learn(population, self._labels.transform(accuracy))
        return self

    def require_fitted(self) -> NormalScores:
        """The labels' map; raises ValueError before `fit`."""
        if self._labels is None:
            raise ValueError("fit the predictor before asking it")
        return self._labels

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Accuracies and deviations of genotypes [n, genes]."""
        labels = self.require_fitted()
        mean, std = self.scores(population)
        return AccuracyEstimate(labels.inverse(mean), np.maximum(labels.slope(mean), 0) * std)
