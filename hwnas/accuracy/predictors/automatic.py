"""The predictor that does best on the labels at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from scipy.stats import kendalltau

from hwnas.accuracy._base import AccuracyEstimate, Predictor
from hwnas.accuracy.pairs import FOLDS, folds
from hwnas.spaces import Population
from latency_tables.arrays import Floats


class AutomaticPredictor(Predictor):
    """Fits every candidate on four fifths of the labels, five times, and keeps the one that ranks the rest best.

    `candidates` make predictors by name. After `fit`, `chosen` is the winner's name and `taus` are the mean Kendall
    taus on labels held out, NaN where labels are equal (then the first candidate is kept). A single candidate is not
    put to the test, and has no tau.
    """

    def __init__(self, candidates: Mapping[str, Callable[[], Predictor]], seed: int = 0):
        if not candidates:
            raise ValueError("give at least one candidate")
        self.candidates, self.seed = dict(candidates), seed
        self.chosen, self.taus = "", dict[str, float]()
        self._best: Predictor | None = None

    @property
    def best(self) -> Predictor:
        """The chosen candidate, fitted on all labels; raises ValueError before `fit`."""
        if self._best is None:
            raise ValueError("fit the predictor before asking it")
        return self._best

    def fit(self, population: Population, accuracy: Floats) -> Self:
        """Choose among the candidates by genotypes [n, genes] and accuracies [n], then fit the choice on all."""
        parts, contest = folds(len(accuracy), self.seed), self.candidates if len(self.candidates) > 1 else {}
        self.taus = {name: _held_out_tau(make, population, accuracy, parts) for name, make in contest.items()}
        self.chosen = max(self.candidates, key=lambda name: np.nan_to_num(self.taus.get(name, np.nan), nan=-1.0))
        self._best = self.candidates[self.chosen]().fit(population, accuracy)
        return self

    def estimate(self, population: Population) -> AccuracyEstimate:
        """As the chosen predictor says."""
        return self.best.estimate(population)


def _held_out_tau(
    make: Callable[[], Predictor], population: Population, accuracy: Floats, parts: Sequence[np.ndarray]
) -> float:
    if len(np.unique(accuracy)) == 1 or len(accuracy) < 2 * FOLDS:
        return float("nan")
    found = []
    for out in parts:
        if len(np.unique(accuracy[~out])) == 1 or len(np.unique(accuracy[out])) == 1:
            continue
        predicted = make().fit(population[~out], accuracy[~out]).estimate(population[out]).mean
        found.append(np.nan_to_num(kendalltau(predicted, accuracy[out])[0]))
    return float(np.mean(found)) if found else float("nan")
