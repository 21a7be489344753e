"""A look-up table of a whole space, from a few networks that a supernet has scored; and its correction by labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from hwnas.accuracy._base import AccuracyEstimate, Predictor
from hwnas.accuracy.pairs import Pairs
from hwnas.accuracy.predictors import (
    AdditiveGaussianProcess,
    AutomaticPredictor,
    AveragePredictor,
    GCNEnsemble,
    GradientBoostingPredictor,
    NormalScores,
)
from hwnas.spaces import Population, SearchSpace, View
from hwnas.spaces.sampling import different_functions
from latency_tables import HwnasError
from latency_tables.arrays import Floats
from latency_tables.storage.signed import read_signed, write_signed

_SAMPLE = 1000

Candidates = Mapping[str, Callable[[], Predictor]]


class SupernetFit(Predictor):
    """What a supernet would say of any network, learned from its scores of some.

    The graph network of GCN-fit (Chen et al. 2021, "Fitting the Search Space of Weight-sharing NAS with Graph
    Convolutional Networks") and a Gaussian process with boosted trees are both tried; `chosen` ranks scores held out
    better, and `taus` are Kendall's taus of both. Networks that compute nothing need no score, theirs is chance.

    Other `candidates` make predictors by name. Once saved, a fit answers for other devices and budgets without a
    supernet.
    """

    def __init__(self, space: SearchSpace, seed: int = 0, candidates: Candidates | None = None):
        self.space, self.seed = space, seed
        self.candidates: Candidates = candidates or {
            "gp-and-trees": lambda: gp_and_trees(space, seed),
            "gcn": lambda: GCNEnsemble(space, seed),
        }
        self.chosen, self.taus = "", dict[str, float]()
        self._predictor: Predictor | None = None
        self._pairs: Pairs | None = None

    def fit(self, population: Population, accuracy: Floats) -> Self:
        """Learn from genotypes [n, genes] and the supernet's scores [n], as fractions of 1."""
        automatic = AutomaticPredictor(self.candidates, self.seed).fit(population, accuracy)
        self.chosen, self.taus = automatic.chosen, automatic.taus
        self._predictor, self._pairs = automatic.best, Pairs(population, accuracy)
        return self

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Scores of genotypes [n, genes]; raises ValueError before `fit`."""
        return _chance_without_computing(self.space, population, self._fitted.estimate(population))

    @property
    def _fitted(self) -> Predictor:
        if self._predictor is None:
            raise ValueError("fit the predictor before asking it")
        return self._predictor

    @property
    def views(self) -> tuple[View, ...]:
        """What it says of networks as views for another predictor, one of each member where several answer together."""
        fitted = self._fitted
        members = fitted.members if isinstance(fitted, AveragePredictor) else (fitted,)
        sample = different_functions(self.space, [self.seed, 6], _SAMPLE)
        return tuple(_said(self.space, member, sample, f"supernet {i}") for i, member in enumerate(members))

    def save(self, path: Path) -> None:
        """Write what it learned from; raises ValueError before `fit`, `HwnasError` when the disk refuses."""
        if self._pairs is None:
            raise ValueError("fit the predictor before saving it")
        archs = [self.space.to_text(arch) for arch in self._pairs.population]
        scores = {"archs": archs, "accuracy": self._pairs.accuracy.tolist()}
        made = {"space": self.space.name, "seed": self.seed, "chosen": self.chosen, "taus": self.taus}
        write_signed(path, made | scores)

    @classmethod
    def load(cls, path: Path, space: SearchSpace, candidates: Candidates | None = None) -> SupernetFit:
        """A fit that says what the saved one says; raises `HwnasError` for a damaged file and another space's."""
        try:
            saved = read_signed(path)
        except OSError as e:
            raise HwnasError(f"cannot read the supernet fit {path}: {e.strerror}") from None
        except ValueError as e:
            raise HwnasError(f"the supernet fit {path} is damaged ({e}); fit again") from None
        name, chosen = saved.get("space"), str(saved.get("chosen"))
        if name != space.name:
            raise HwnasError(f"the supernet fit {path} is of {name!r:.60}, not of {space.name}")
        fit = cls(space, saved["seed"], candidates)
        if chosen not in fit.candidates:
            raise HwnasError(f"the supernet fit {path} needs the predictor {chosen!r:.60}, which is not here")
        fit.chosen, fit.taus = chosen, saved["taus"]
        pairs = Pairs(np.array([space.from_text(text) for text in saved["archs"]]), np.array(saved["accuracy"]))
        fit._predictor, fit._pairs = fit.candidates[chosen]().fit(pairs.population, pairs.accuracy), pairs
        return fit


def gp_and_trees(space: SearchSpace, seed: int = 0, views: Sequence[View] | None = None) -> AveragePredictor:
    """A Gaussian process on views, the space's own by default, and boosted trees: at equal cost better together."""
    return AveragePredictor(
        [AdditiveGaussianProcess(space, views), GradientBoostingPredictor(space, seed, views=views)]
    )


class CorrectedFit(Predictor):
    """A supernet's fit, corrected by a few networks that were really trained.

    The error of a supernet is systematic: larger networks lose more, and more scores do not average it out. A predictor
    of the labels sees the fit as views beside those of the space and other `signals`; labels decide what each counts.
    """

    def __init__(self, fit: SupernetFit, signals: Sequence[View] = ()):
        self.space = fit.space
        self._predictor = gp_and_trees(fit.space, fit.seed, [*fit.space.views, *fit.views, *signals])

    def fit(self, population: Population, accuracy: Floats) -> Self:
        """Learn from genotypes [n, genes] and their accuracies [n] after a training of their own."""
        self._predictor.fit(population, accuracy)
        return self

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Accuracies of genotypes [n, genes]; raises ValueError before `fit`."""
        return _chance_without_computing(self.space, population, self._predictor.estimate(population))


def _said(space: SearchSpace, predictor: Predictor, sample: Population, name: str) -> View:
    """What a predictor says as standard normal scores [n, 1] among a sample; the lowest without an output."""
    scale = NormalScores.of(predictor.estimate(sample).mean)

    def encode(population: Population) -> Floats:
        said = scale.transform(predictor.estimate(population).mean)
        return np.where(space.computes(population), said, scale.scores[0])[:, None]

    return View(name, encode, trend=True)


def _chance_without_computing(
    space: SearchSpace, population: Population, estimate: AccuracyEstimate
) -> AccuracyEstimate:
    there = space.computes(population)
    chance = 1 / space.num_classes
    return AccuracyEstimate(np.where(there, estimate.mean, chance), np.where(there, estimate.std, 0.0))
