"""What a lower precision costs networks of the supernet, before any of them is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deploy.answers import answered, open_to_answer, true_class_probability
from deploy.export import image_model
from deploy.lowered import Lowered, PrecisionError, lower
from hwnas.run.accuracy_model import SCORE, AccuracyModel
from hwnas.run.inputs import Stages
from hwnas.run.profiling import Profiling
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Genotype
from latency_tables.progress import Progress

DROP_NETWORKS = 4


@dataclass(frozen=True)
class PrecisionDrop(Stages):
    """The mean over a few of the networks that the supernet scored highest."""

    profiling: Profiling
    accuracy_model: AccuracyModel

    @cached_property
    def of_score(self) -> float:
        """Stage `drop`: what the precision takes off the supernet's scores, 0 to 1; a spoilt network loses all."""
        precision, pairs = self.settings.precision, self.accuracy_model.pairs
        if precision == "fp32":
            return 0.0
        best = np.argsort(-pairs.accuracy, kind="stable")[:DROP_NETWORKS]
        archs, scores = pairs.population[best], pairs.accuracy[best]

        def work(progress: Progress) -> Result:
            drops = []
            for done, (arch, score) in enumerate(zip(archs, scores, strict=True)):
                progress(done, len(archs), precision)
                try:
                    drops.append(float(score) - self._score(self._lowered(arch).model))
                except PrecisionError:
                    drops.append(1.0)
            return {"drops": drops}

        inputs = {
            "supernet": self.accuracy_model.supernet_digest,
            "archs": [self.space.to_text(arch) for arch in archs],
            "runtime": self.profiling.profiler.target().runtime_version,
            "score": SCORE,
        }
        said = self.folder.do(Stage("drop", f"what {precision} costs in accuracy", inputs), work)
        return max(float(np.mean(said["drops"])), 0.0)

    def _score(self, model: bytes) -> float:
        """Mean probability of the true class by a file, on the validation split."""
        with open_to_answer(model, self.profiling.profiler) as session:
            return true_class_probability(*answered(session, self.inputs.data.validation))

    def accuracy(self, arch: Genotype) -> float:
        """Validation accuracy of one network with the supernet's weights, 0 to 1; raises what `lower` raises."""
        if self.settings.precision == "fp32":
            return self.accuracy_model.accuracy.evaluate(arch)
        return self._lowered(arch).lowering.accuracy

    def _lowered(self, arch: Genotype) -> Lowered:
        network, data = self.accuracy_model.accuracy.network(arch).eval(), self.inputs.data
        return lower(image_model(network, data), data, self.profiling.profiler)
