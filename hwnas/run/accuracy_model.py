"""From data to a predictor of accuracy: supernet, (architecture, accuracy) pairs, predictor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property

import numpy as np

from hwnas.accuracy import GaussianProcessPredictor, Journaled, SupernetAccuracy
from hwnas.accuracy.pairs import Pairs, PredictorFit, held_out_fit
from hwnas.run.inputs import Stages
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Population, unique_genotypes
from hwnas.training import (
    Batches,
    Checkpoint,
    Curve,
    Recipe,
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

SUPERNET_BATCH = 32


class AccuracyModel(Stages):
    """The stages that need the data. Each property brings its inputs up to date first."""

    @cached_property
    def batches(self) -> Batches:
        """The images in training batches."""
        return Batches(self.inputs.data, SUPERNET_BATCH)

    @cached_property
    def _trained(self) -> tuple[Checkpoint, Curve]:
        """Stage `supernet`: shared weights of the whole space, and their training curve."""
        s, path = self.settings, self.folder.path / "supernet.safetensors"
        recipe = Recipe(s.supernet_epochs, learning_rate=1e-2)
        inputs = {
            "space": [op.key for op in self.space.all_ops],
            "data": self.inputs.data.digest,
            "recipe": asdict(recipe),
            "batch": SUPERNET_BATCH,
            "seed": s.seed,
        }

        def work(progress: Progress) -> Result:
            _, curve = train_supernet(self.space, self.batches, recipe, s.seed, path, progress)
            return {"curve": asdict(curve)}

        result = self.folder.do(Stage("supernet", "supernet training", inputs, (path,)), work)
        return load_checkpoint(path), Curve.from_json(result["curve"])

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
        return self._trained[1]

    @cached_property
    def accuracy(self) -> SupernetAccuracy:
        """Accuracy by the supernet."""
        return SupernetAccuracy(self.supernet, self.batches)

    @contextmanager
    def answers(self, progress: Progress = silent) -> Iterator[Journaled]:
        """Accuracy by the supernet, each network journalled as it is evaluated."""
        digest = self.supernet_digest
        path = self.folder.path / "journals" / f"accuracy-{digest[:8]}.jsonl"
        with Journal(path, {"supernet": digest}) as journal:
            yield Journaled(self.space, self.accuracy, journal, InProcess(), progress)

    def evaluate(self, archs: Population, name: str, progress: Progress) -> Floats:
        """Supernet accuracy of networks [n, genes], journalled one by one, [n]."""
        with self.answers(lambda done, total, _best: progress(done, total, name)) as accuracy:
            return accuracy.estimate(archs).mean

    @cached_property
    def _predicted(self) -> tuple[Pairs, PredictorFit]:
        """Stage `predict`: accuracies of sampled networks, and how well a predictor does on a fifth held out."""
        s, space = self.settings, self.space
        sample = space.sample(np.random.default_rng([s.seed, 2]), 3 * s.pairs)
        archs = unique_genotypes(sample)[: s.pairs]

        def work(progress: Progress) -> Result:
            pairs = Pairs(archs, self.evaluate(archs, "supernet accuracies", progress))
            fit = held_out_fit(GaussianProcessPredictor(space, s.seed), pairs)
            return {"archs": [space.to_text(a) for a in archs], "accuracy": pairs.accuracy, **vars(fit)}

        inputs = {"supernet": self.supernet_digest, "pairs": s.pairs, "seed": s.seed}
        result = self.folder.do(Stage("predict", "accuracy predictor", inputs), work)
        population = np.array([space.from_text(t) for t in result["archs"]])
        fit = PredictorFit(tuple(result["true"]), tuple(result["predicted"]))
        return Pairs(population, np.array(result["accuracy"])), fit

    @property
    def pairs(self) -> Pairs:
        """What the predictor learns from."""
        return self._predicted[0]

    @property
    def predictor_fit(self) -> PredictorFit:
        """How well it does on pairs it has not seen."""
        return self._predicted[1]

    def predictor(self, extra: Pairs | None = None) -> GaussianProcessPredictor:
        """Fitted on all pairs, and on `extra` ones."""
        population, accuracy = self.pairs.population, self.pairs.accuracy
        if extra is not None:
            population = np.concatenate([population, extra.population])
            accuracy = np.concatenate([accuracy, extra.accuracy])
        return GaussianProcessPredictor(self.space, self.settings.seed).fit(population, accuracy)
