"""From data to a predictor: supernet, (architecture, score) pairs, predictor.

A score is a network's mean probability of the true class on the validation split, with the supernet's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hwnas.accuracy import Journaled, SupernetAccuracy, SupernetProbability
from hwnas.accuracy.pairs import Pairs, PredictorFit, cross_validated
from hwnas.accuracy.predictors import AveragePredictor
from hwnas.accuracy.supernet_fit import SupernetFit, gp_and_trees
from hwnas.data import skipped_line
from hwnas.run.evolved import EvolvedSpace
from hwnas.run.fitted import fitted
from hwnas.run.inputs import Stages
from hwnas.run.stage import Result, Stage
from hwnas.search import STRATEGIES
from hwnas.search.differentiable import Distribution
from hwnas.search.differentiable.learning import train_distribution
from hwnas.spaces import Population, SearchSpace, unique_genotypes
from hwnas.training import (
    Batches,
    Checkpoint,
    Curve,
    Supernet,
    load_checkpoint,
    load_weights,
    train_supernet,
    trained_weights,
)
from hwnas.workers import InProcess
from latency_tables import Journal
from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent

if TYPE_CHECKING:
    from hwnas.run.branches import Branch

SCORE = "true_class_probability"
"""What the supernet says of a network, as records name it."""


@dataclass(frozen=True)
class AccuracyModel(Stages):
    """The stages that need the data. Each property brings its inputs up to date first."""

    evolved: EvolvedSpace
    first: Callable[[], Branch]

    @cached_property
    def _evolves(self) -> bool:
        return STRATEGIES[self.settings.strategy].evolves

    @cached_property
    def _learns(self) -> type[Distribution] | None:
        return STRATEGIES[self.settings.strategy].distribution

    @cached_property
    def space(self) -> SearchSpace:
        """What is searched: the whole space, or the part of it that evolved."""
        return self.evolved.part if self._evolves else self.inputs.space

    @cached_property
    def batches(self) -> Batches:
        """The images in training batches; says what their source has to say."""
        for note in self.inputs.data.notes:
            self.folder.display.say(note)
        return Batches.of(self.inputs.data, self.inputs.recipes.supernet)

    @cached_property
    def _trained(self) -> tuple[Checkpoint, Result]:
        """Stage `supernet`: shared weights of the whole space, their training curve, and a mean learned with them."""
        s, path = self.settings, self.folder.path / "supernet.safetensors"
        recipe, teacher = self.inputs.recipes.supernet, self.inputs.teacher
        inputs = {
            "space": [op.key for op in self.space.all_ops],
            "data": self.inputs.data.digest,
            "recipe": asdict(recipe),
            **({} if teacher is None else {"teacher": teacher.identity}),
            "seed": s.seed,
            **({} if self._learns is None else {"learns": self._learns.__name__, **self.first().limited_by}),
        }

        def work(progress: Progress) -> Result:
            how, where = (self.batches, recipe, s.seed, path, progress), self.inputs.where
            if self._learns is not None:
                distribution = self._learns(self.space, [self.first().limit])
                _, curve = train_distribution(distribution, *how, where=where, teacher=teacher)
                learned = {"mean": distribution.mean()}
            else:
                start = self.evolved.supernet if self._evolves else None
                _, curve = train_supernet(self.space, *how, where=where, teacher=teacher, start=start)
                learned = {}
            if self.batches.skipped:
                self.folder.display.say(skipped_line(self.batches.skipped))
            return {"curve": asdict(curve), **learned}

        result = self.folder.do(Stage("supernet", "supernet training", inputs, (path,)), work)
        return load_checkpoint(path), result

    @cached_property
    def supernet(self) -> Supernet:
        """The trained supernet."""
        supernet = Supernet(self.space, self.settings.seed)
        load_weights(supernet, trained_weights(self._trained[0]), self.folder.path / "supernet.safetensors")
        return supernet

    @property
    def supernet_digest(self) -> str:
        """Identifies the trained weights."""
        return self._trained[0].sha256

    @property
    def curve(self) -> Curve:
        """The supernet's training curve."""
        return Curve.from_json(self._trained[1]["curve"])

    @property
    def learned_mean(self) -> Floats | None:
        """Probabilities [genes, values] that the strategy learned together with the supernet, where it does."""
        return None if self._learns is None else np.array(self._trained[1]["mean"])

    @cached_property
    def accuracy(self) -> SupernetAccuracy:
        """Accuracy by the supernet."""
        return SupernetAccuracy(self.supernet, self.batches, self.inputs.where.device)

    @contextmanager
    def answers(self, name: str = "", progress: Progress = silent) -> Iterator[Journaled]:
        """Scores by the supernet, each network journalled as it is evaluated; `progress` hears of them by `name`."""

        def told(done: int, total: int, _best: str) -> None:
            progress(done, total, name)

        digest = self.supernet_digest
        path = self.folder.path / "journals" / f"scores-{digest[:8]}.jsonl"
        scores = SupernetProbability(self.supernet, self.batches, self.inputs.where.device)
        with Journal(path, {"supernet": digest, "score": SCORE}) as journal:
            yield Journaled(self.space, scores, journal, InProcess(), told)

    def evaluate(self, archs: Population, name: str, progress: Progress) -> Floats:
        """Scores of networks [n, genes], journalled one by one, [n]."""
        with self.answers(name, progress) as scores:
            return scores.estimate(archs).mean

    @cached_property
    def _predicted(self) -> tuple[Pairs, PredictorFit]:
        """Stage `predict`: scores of sampled networks, and how well a predictor does on each fifth held out."""
        s, space = self.settings, self.space
        sample = space.sample(np.random.default_rng([s.seed, 2]), 3 * s.pairs)
        archs = unique_genotypes(sample)[: s.pairs]

        def work(progress: Progress) -> Result:
            pairs = Pairs(archs, self.evaluate(archs, "supernet scores", progress))
            fit = cross_validated(self._new_predictor(), pairs, s.seed)
            return {"archs": [space.to_text(a) for a in archs], SCORE: pairs.accuracy, "predicted": fit.predicted}

        inputs = {"supernet": self.supernet_digest, "pairs": s.pairs, "seed": s.seed, "score": SCORE}
        result = self.folder.do(Stage("predict", "accuracy predictor", inputs), work)
        population = np.array([space.from_text(t) for t in result["archs"]])
        fit = PredictorFit(tuple(result[SCORE]), tuple(result["predicted"]))
        return Pairs(population, np.array(result[SCORE])), fit

    @cached_property
    def fit(self) -> SupernetFit:
        """Stage `fit`: a table of what the supernet would say of any network, from the pairs and `queries` more."""
        return fitted(self)

    @property
    def pairs(self) -> Pairs:
        """What the predictor learns from."""
        return self._predicted[0]

    @property
    def predictor_fit(self) -> PredictorFit:
        """How well it does on pairs it has not seen."""
        return self._predicted[1]

    def predictor(self, extra: Pairs | None = None) -> AveragePredictor:
        """Of scores; fitted on all pairs, and on `extra` ones."""
        population, scores = self.pairs.population, self.pairs.accuracy
        if extra is not None:
            population = np.concatenate([population, extra.population])
            scores = np.concatenate([scores, extra.accuracy])
        return self._new_predictor().fit(population, scores)

    def _new_predictor(self) -> AveragePredictor:
        return gp_and_trees(self.space, self.settings.seed)
