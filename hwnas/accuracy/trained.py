"""Accuracy by training: every network for a short while, each once."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.modules import initialise
from hwnas.training.batches import Batches
from hwnas.training.learning import train_network
from hwnas.training.numerics import Numerics
from hwnas.training.recipe import Recipe
from hwnas.workers import InProcess, Workers
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically


class TrainedAccuracy(AccuracyEstimator):
    """Validation accuracy after `recipe`, from scratch. Answers are kept in `folder`, one file per network.

    The networks of one population are trained by `workers` (default: here, one after another), whichever they are with
    the same answers. Several processes may share the folder: at worst both train the same network, and find the same.
    A folder belongs to one data set, recipe and seed; another gets another sub-folder. `progress` is called after every
    network, with the best so far.
    """

    def __init__(
        self,
        space: SearchSpace,
        batches: Batches,
        recipe: Recipe,
        folder: Path,
        seed: int = 0,
        progress: Progress = silent,
        workers: Workers | None = None,
    ):
        self.space, self._progress, self._workers = space, progress, workers or InProcess()
        self._train = _Training(space, batches, recipe, seed)
        identity = [space.name, batches.data.digest, batches.size, asdict(recipe), seed]
        self._folder = folder / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Trained accuracies of genotypes [n, genes]; the noise of one training is not known, so the deviation is 0.

        Raises `JobFailed` where a network cannot be trained; what was trained is kept.
        """
        texts = [self.space.to_text(arch) for arch in self.space.canonical(population)]
        networks = list(dict.fromkeys(texts))
        known = {text: self._read(text) for text in networks if self._file(text).exists()}
        missing = [text for text in networks if text not in known]
        for index, accuracy in self._workers.run(self._train, missing):
            text = missing[index]
            answer = {"arch": text, "validation_accuracy": accuracy}
            write_atomically(self._file(text), (json.dumps(answer) + "\n").encode())
            known[text] = accuracy
            self._progress(len(known), len(networks), f"best so far {100 * max(known.values()):.2f} %")
        mean = np.array([known[text] for text in texts])
        return AccuracyEstimate(mean, np.zeros(len(mean)))

    def _file(self, text: str) -> Path:
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"

    def _read(self, text: str) -> float:
        return float(json.loads(self._file(text).read_text())["validation_accuracy"])


@dataclass(frozen=True)
class _Training:
    """The job: an architecture as text to its validation accuracy. Holds all that a worker needs for it."""

    space: SearchSpace
    batches: Batches
    recipe: Recipe
    seed: int
    numerics: Numerics = field(default_factory=Numerics.current)

    def __call__(self, text: str) -> float:
        self.numerics.apply()
        network = self.space.build(self.space.from_text(text))
        initialise(network, torch.Generator().manual_seed(self.seed))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with tempfile.TemporaryDirectory() as scratch:
            checkpoint = Path(scratch) / "network.safetensors"
            curve = train_network(network, text, self.batches, self.recipe, self.seed, checkpoint)
        return curve.validation_accuracy[-1]
