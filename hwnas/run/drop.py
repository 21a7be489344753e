"""What a lower precision costs networks of the supernet in accuracy, before any of them is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deploy.export import image_model
from deploy.lowered import PrecisionError, lower
from deploy.manifest import Lowering
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.inputs import Stages
from hwnas.run.profiling import Profiling
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Genotype
from latency_tables.progress import Progress

DROP_NETWORKS = 4


@dataclass(frozen=True)
class PrecisionDrop(Stages):
    """The mean over a few of the most accurate networks that the supernet was asked about."""

    profiling: Profiling
    accuracy_model: AccuracyModel

    @cached_property
    def of_accuracy(self) -> float:
        """Stage `drop`: validation accuracy that the precision costs, 0 to 1; a spoilt network loses all of it."""
        precision, pairs = self.settings.precision, self.accuracy_model.pairs
        if precision == "fp32":
            return 0.0
        archs = pairs.population[np.argsort(-pairs.accuracy, kind="stable")[:DROP_NETWORKS]]

        def work(progress: Progress) -> Result:
            drops = []
            for done, arch in enumerate(archs):
                progress(done, len(archs), precision)
                try:
                    drops.append(self._lowered(arch).drop_points)
                except PrecisionError:
                    drops.append(100.0)
            return {"drop_points": drops}

        inputs = {
            "supernet": self.accuracy_model.supernet_digest,
            "archs": [self.space.to_text(arch) for arch in archs],
            "runtime": self.profiling.profiler.target().runtime_version,
        }
        said = self.folder.do(Stage("drop", f"what {precision} costs in accuracy", inputs), work)
        return max(float(np.mean(said["drop_points"])) / 100, 0.0)

    def accuracy(self, arch: Genotype) -> float:
        """Validation accuracy of one network with the supernet's weights, 0 to 1; raises what `lower` raises."""
        if self.settings.precision == "fp32":
            return self.accuracy_model.accuracy.evaluate(arch)
        return self._lowered(arch).accuracy

    def _lowered(self, arch: Genotype) -> Lowering:
        network, data = self.accuracy_model.accuracy.network(arch).eval(), self.inputs.data
        return lower(image_model(network, data), data, self.profiling.profiler).lowering
