"""From an architecture to a verified model: train, export, verify. One folder a candidate."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from deploy.answers import accuracy, logits, open_to_answer
from deploy.export import Export, export_network
from deploy.manifest import FORMAT, Lowering, manifest_path, read_manifest
from deploy.verify import Verification, verify
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.budget import RunBudget
from hwnas.run.inputs import Stages
from hwnas.run.profiling import Profiling
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Genotype
from hwnas.training import Batches, Curve, Recipe, load_checkpoint, load_weights, save_checkpoint
from hwnas.training.fine_tuning import FineTuned, FineTuning
from hwnas.workers import InProcess, Workers
from latency_tables.progress import Progress
from latency_tables.storage.serialise import from_plain

_TRAIN_BATCH = 64


@dataclass(frozen=True)
class Trained:
    """A trained network in eval mode, its curve, its soft accuracy on validation, the digest of its weights file."""

    network: nn.Module
    curve: Curve
    true_class_probability: float
    weights_sha256: str


@dataclass(frozen=True)
class Deployment(Stages):
    """What happens to the network that a search chose, or to any other of the space."""

    profiling: Profiling
    accuracy_model: AccuracyModel
    budget: RunBudget
    workers: Workers
    _trained: dict[str, Trained] = field(default_factory=dict)

    def candidate(self, arch: Genotype) -> Path:
        """The folder of one architecture."""
        text = self.space.to_text(arch)
        return self.folder.path / "candidates" / hashlib.sha256(text.encode()).hexdigest()[:10]

    @cached_property
    def _fine_tuning(self) -> FineTuning:
        s, batches = self.settings, Batches(self.inputs.data, _TRAIN_BATCH)
        return FineTuning(self.accuracy_model.supernet, batches, Recipe(s.train_epochs, learning_rate=3e-3), s.seed)

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

    def best(self, archs: Sequence[Genotype]) -> int:
        """Which of several networks is best on validation once trained, by the mean probability of the true class."""
        if not isinstance(self.workers, InProcess):
            self._train_elsewhere(archs)
        return int(np.argmax([self.train(arch).true_class_probability for arch in archs]))

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
            "batch": tuning.batches.size,
            "seed": tuning.seed,
        }
        return Stage("train", "training a network", inputs, (self._weights(arch),), self.candidate(arch).name)

    def test_accuracy(self, arch: Genotype) -> float:
        """Stage `test`: accuracy of the file that ships on the raw test images, which nothing before has looked at."""
        exported, data = self.export(arch), self.inputs.data
        manifest = read_manifest(exported.path)

        def work(progress: Progress) -> Result:
            with open_to_answer(exported.path.read_bytes(), self.profiling.profiler) as session:
                return {"test_accuracy": accuracy(logits(session, data.test.images), data.test.labels)}

        inputs = {"model": manifest.sha256, "data": data.digest}
        stage = Stage("test", "test accuracy", inputs, part=self.candidate(arch).name)
        return float(self.folder.do(stage, work)["test_accuracy"])

    def export(self, arch: Genotype) -> Export:
        """Stage `export`: a checked ONNX file that takes raw images and answers as torch does, and its manifest.

        In the run's precision, which may cost `--max-drop` points of validation accuracy.
        """
        trained, path = self.train(arch), self.candidate(arch) / "model.onnx"
        text, data, s = self.space.to_text(arch), self.inputs.data, self.settings

        def work(progress: Progress) -> Result:
            done = export_network(
                trained.network,
                data,
                path,
                architecture=text,
                space=self.space.name,
                profiler=self.profiling.profiler,
                max_drop_points=s.max_drop,
            )
            return {k: v for k, v in asdict(done).items() if k != "path"}

        inputs: Result = {"weights": trained.weights_sha256, "arch": text, "data": data.digest, "format": FORMAT}
        if s.precision != "fp32":
            inputs |= {"precision": s.precision, "max_drop": s.max_drop}
        outputs = (path, manifest_path(path))
        result = self.folder.do(Stage("export", "export to ONNX", inputs, outputs, path.parent.name), work)
        lowering = result.pop("lowering", None)
        return Export(path, **result, lowering=None if lowering is None else from_plain(Lowering, lowering))

    def verify(self, arch: Genotype) -> Verification:
        """Stage `verify`: the device says PASS or FAIL, in fresh processes."""
        exported, table = self.export(arch), self.profiling.table
        reference, device = self.profiling.table_folder / "reference.onnx", self.profiling.device
        stage = self._verification(arch, exported.path.read_bytes())
        where = exported.path.parent / f"verify-{stage.inputs_sha256[:8]}"

        def work(progress: Progress) -> Result:
            return asdict(verify(exported.path, reference, table, self.budget.ms, device, where, progress))

        return from_plain(Verification, self.folder.do(stage, work))

    def known_verification(self, arch: Genotype) -> Verification | None:
        """What the device said of a network before, if it was asked."""
        try:
            model = (self.candidate(arch) / "model.onnx").read_bytes()
        except OSError:
            return None
        result = self.folder.find(self._verification(arch, model))
        return None if result is None else from_plain(Verification, result)

    def _verification(self, arch: Genotype, model: bytes) -> Stage:
        digest = hashlib.sha256(model).hexdigest()
        inputs = {"model": digest, "budget_ms": self.budget.ms, "table": self.profiling.table.digest}
        return Stage("verify", "measuring on the device", inputs, part=self.candidate(arch).name)


def _keep(tuned: FineTuned, text: str, path: Path) -> Result:
    """Write the weights of a trained network; what its stage says of it."""
    save_checkpoint(path, tuned.weights, {"arch": text})
    return {"arch": text, "curve": asdict(tuned.curve), "true_class_probability": tuned.true_class_probability}
