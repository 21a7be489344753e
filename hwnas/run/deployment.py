"""From a trained network to a verified model: export, validate, test, verify."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from deploy.answers import accuracy, answered, open_to_answer, true_class_probability
from deploy.export import Export, export_network
from deploy.manifest import FORMAT, Lowering, manifest_path, read_manifest
from deploy.verify import Verification, verify
from hwnas.data import LabelledImages
from hwnas.run.budget import RunBudget
from hwnas.run.inputs import Stages
from hwnas.run.profiling import Profiling
from hwnas.run.stage import Result, Stage
from hwnas.run.training import Training
from hwnas.spaces import Genotype
from latency_tables.progress import Progress
from latency_tables.storage.serialise import from_plain


@dataclass(frozen=True)
class Deployment(Stages):
    """What happens to the network that a search chose, or to any other of the space."""

    profiling: Profiling
    training: Training
    budget: RunBudget

    def true_class_probability(self, arch: Genotype) -> float:
        """Stage `validate`: of the file that ships, its mean probability of the true class of the validation split.

        In fp32 that of the trained network, which the file answers as. Raises what `export` raises.
        """
        if self.settings.precision == "fp32":
            return self.training.train(arch).true_class_probability
        said = self._answered("validate", "accuracy of a file on validation", arch, self.inputs.data.validation)
        return said["true_class_probability"]

    def test_accuracy(self, arch: Genotype) -> float:
        """Stage `test`: accuracy of the file that ships on the raw test images, which nothing before has looked at."""
        return self._answered("test", "test accuracy", arch, self.inputs.data.test)["accuracy"]

    def _answered(self, kind: str, title: str, arch: Genotype, split: LabelledImages) -> dict[str, float]:
        """What the file that ships answers to the raw images of a split."""
        exported = self.export(arch)

        def work(progress: Progress) -> Result:
            with open_to_answer(exported.path.read_bytes(), self.profiling.profiler) as session:
                said, labels = answered(session, split)
            return {"accuracy": accuracy(said, labels), "true_class_probability": true_class_probability(said, labels)}

        inputs = {"model": read_manifest(exported.path).sha256, "data": self.inputs.data.digest}
        return self.folder.do(Stage(kind, title, inputs, part=self.candidate(arch).name), work)

    def export(self, arch: Genotype) -> Export:
        """Stage `export`: a checked ONNX file that takes raw images and answers as torch does, and its manifest.

        In the run's precision, which may cost `--max-drop` points of validation accuracy.
        """
        trained, path = self.training.train(arch), self.candidate(arch) / "model.onnx"
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
