"""Accuracy by training: every network for a short while, each once."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator
from hwnas.accuracy.batches import Batches
from hwnas.accuracy.training import Recipe, train_network
from hwnas.spaces import Genotype, Population, SearchSpace
from hwnas.spaces.blocks import initialise
from latency_tables.files import write_atomically
from latency_tables.progress import Progress, silent


class TrainedAccuracy(AccuracyEstimator):
    """Validation accuracy after `recipe`, from scratch. Answers are kept in `folder`, a file a network.

    Several processes may share the folder: at worst both train the same network, and find the same. A folder belongs to
    one data set, recipe and seed; another gets another sub-folder.
    """

    def __init__(
        self,
        space: SearchSpace,
        batches: Batches,
        recipe: Recipe,
        folder: Path,
        seed: int = 0,
        progress: Progress = silent,
    ):
        self.space, self.batches, self.recipe, self.seed, self._progress = space, batches, recipe, seed, progress
        identity = [space.name, batches.data.digest, batches.size, asdict(recipe), seed]
        self._folder = folder / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:12]
        self._folder.mkdir(parents=True, exist_ok=True)

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Trained accuracies of genotypes [n, genes]; the noise of one training is not known, so the deviation is 0."""
        accuracy = np.array([self._accuracy(arch) for arch in self.space.canonical(population)])
        return AccuracyEstimate(accuracy, np.zeros(len(accuracy)))

    def _accuracy(self, arch: Genotype) -> float:
        text = self.space.to_text(arch)
        path = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if path.exists():
            return float(json.loads(path.read_text())["validation_accuracy"])
        network = self.space.build(arch)
        initialise(network, torch.Generator().manual_seed(self.seed))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with tempfile.TemporaryDirectory() as scratch:
            checkpoint = Path(scratch) / "network.safetensors"
            curve = train_network(network, text, self.batches, self.recipe, self.seed, checkpoint, self._progress)
        answer = {"arch": text, "validation_accuracy": curve.validation_accuracy[-1]}
        write_atomically(path, (json.dumps(answer) + "\n").encode())
        return curve.validation_accuracy[-1]
