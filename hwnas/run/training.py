"""Stage `train`: networks of the space, trained from the supernet's weights. One folder per candidate."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.inputs import Stages
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Genotype
from hwnas.training import Batches, Curve, load_checkpoint, load_weights, save_checkpoint
from hwnas.training.fine_tuning import FineTuned, FineTuning
from hwnas.workers import InProcess, Workers
from latency_tables.progress import Progress


@dataclass(frozen=True)
class Trained:
    """A trained network in eval mode, its curve, its soft accuracy on validation, the digest of its weights file."""

    network: nn.Module
    curve: Curve
    true_class_probability: float
    weights_sha256: str


@dataclass(frozen=True)
class Training(Stages):
    """Trains the networks that a search chose, or any other of the space."""

    accuracy_model: AccuracyModel
    workers: Workers
    _trained: dict[str, Trained] = field(default_factory=dict)

    @cached_property
    def _fine_tuning(self) -> FineTuning:
        s, inputs = self.settings, self.inputs
        recipe, supernet = inputs.recipes.network, self.accuracy_model.supernet
        batches = Batches.of(inputs.data, recipe)
        return FineTuning(supernet, batches, recipe, s.seed, s.train_device, inputs.teacher)

    def train(self, arch: Genotype) -> Trained:
        """Stage `train`: starts from the supernet's weights and continues with labels, with a checkpoint per epoch."""
        text, final = self.space.to_text(arch), self._weights(arch)
        if text in self._trained:
            return self._trained[text]
        underway = final.with_name("training.safetensors")

        def work(progress: Progress) -> Result:
            result = _keep(self._fine_tuning.train(text, underway, progress), text, final)
            underway.unlink(missing_ok=True)
            return result

        result = self.folder.do(self._training(arch), work)
        network = self.space.build(arch)
        load_weights(network, load_checkpoint(final).tensors, final)
        network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        curve = Curve.from_json(result["curve"])
        digest = hashlib.sha256(final.read_bytes()).hexdigest()
        self._trained[text] = Trained(network, curve, result["true_class_probability"], digest)
        return self._trained[text]

    def train_all(self, archs: Sequence[Genotype]) -> list[Trained]:
        """The same for several, at once where workers are elsewhere."""
        if not isinstance(self.workers, InProcess):
            self._train_elsewhere(archs)
        return [self.train(arch) for arch in archs]

    def _train_elsewhere(self, archs: Sequence[Genotype]) -> None:
        """Let the workers train what is not trained yet; each network is a finished stage as soon as it arrives."""
        missing = [a for a in archs if self.folder.find(self._training(a)) is None]
        if not missing:
            return
        texts = [self.space.to_text(arch) for arch in missing]
        with self.folder.display.stage("training networks on workers") as progress, self.workers:
            best, before = 0.0, time.monotonic()
            progress(0, len(texts), "")
            for done, (index, tuned) in enumerate(self.workers.run(self._fine_tuning, texts), start=1):
                arch, final = missing[index], self._weights(missing[index])
                result, now = _keep(tuned, texts[index], final), time.monotonic()
                self.folder.record(self._training(arch), now - before, result)
                best, before = max(best, tuned.curve.validation_accuracy[-1]), now
                progress(done, len(texts), f"best so far {100 * best:.2f} %")

    def _weights(self, arch: Genotype) -> Path:
        return self.candidate(arch) / "weights.safetensors"

    def _training(self, arch: Genotype) -> Stage:
        tuning = self._fine_tuning
        inputs = {
            "arch": self.space.to_text(arch),
            "supernet": self.accuracy_model.supernet_digest,
            "data": tuning.batches.data.digest,
            "recipe": asdict(tuning.recipe),
            **({} if tuning.teacher is None else {"teacher": tuning.teacher.identity}),
            "seed": tuning.seed,
        }
        return Stage("train", "training a network", inputs, (self._weights(arch),), self.candidate(arch).name)


def _keep(tuned: FineTuned, text: str, path: Path) -> Result:
    """Write the weights of a trained network; what its stage says of it."""
    save_checkpoint(path, tuned.weights, {"arch": text})
    return {"arch": text, "curve": asdict(tuned.curve), "true_class_probability": tuned.true_class_probability}
