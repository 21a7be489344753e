"""The Pareto front of a run's search, and what the device says of some of its networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.run.branches import Branch, Branches
from hwnas.run.folder import RunFolder
from hwnas.run.measured import measure_network
from hwnas.run.stage import Result, Stage
from hwnas.search import Evaluated
from hwnas.spaces import Genotype
from latency_tables import LatencyPrediction
from latency_tables.arrays import Floats
from latency_tables.model.agreement import Agreement
from latency_tables.progress import Progress
from latency_tables.storage.files import digest_json


@dataclass(frozen=True)
class PredictedFront:
    """The networks of the front, fastest first, the precision of each, and their latencies."""

    networks: Evaluated
    precisions: tuple[str, ...]
    prediction: LatencyPrediction

    def __getitem__(self, index: NDArray[np.int64]) -> PredictedFront:
        precisions = tuple(self.precisions[i] for i in index)
        prediction = LatencyPrediction(*(ms[index] for ms in vars(self.prediction).values()))
        return PredictedFront(self.networks[index], precisions, prediction)


@dataclass(frozen=True)
class MeasuredFront:
    """Some networks of the front: what was predicted, what was measured, and its 95 % interval [n, 2]."""

    predicted: PredictedFront
    agreement: Agreement
    ci95_ms: Floats
    plot: Path


@dataclass(frozen=True)
class Front:
    """The front of the first search in every precision: predicted at once, measured network by network."""

    folder: RunFolder
    branches: Branches

    def predicted(self) -> PredictedFront:
        """The front, fastest first, and its latencies."""
        choice = self.branches.choose({})
        front, precisions = choice.front, np.array(choice.front_precisions)
        order, ends = np.argsort(front.ms, kind="stable"), np.empty((3, len(front)))
        for precision in set(choice.front_precisions):
            mine = precisions == precision
            said = self.branches[precision].profiling.latency().predict(front.population[mine])
            ends[:, mine] = said.ms, said.lower_ms, said.upper_ms
        return PredictedFront(front, choice.front_precisions, LatencyPrediction(*ends))[order]

    def measured(self, count: int) -> MeasuredFront:
        """`count` networks of the front, or all if it has fewer, spread over its latencies; draws `front.png`."""
        from hwnas.report.agreement import agreement_plot

        front = self.predicted()
        chosen = front[spread(front.prediction.ms, count)]
        each = zip(chosen.precisions, chosen.networks.population, strict=True)
        said = [self._measure(self.branches[precision], arch) for precision, arch in each]
        measured_ms, ci95_ms = (np.array([one[name] for one in said]) for name in ("measured_ms", "measured_ci95_ms"))
        agreement = Agreement(chosen.prediction, measured_ms)
        plot = self.folder.path / "front.png"
        agreement_plot([("front", agreement)], measured_ci_ms=ci95_ms).savefig(plot, dpi=150)
        return MeasuredFront(chosen, agreement, ci95_ms, plot)

    def _measure(self, branch: Branch, arch: Genotype) -> Result:
        """Stage `front`: one network on the device in fresh processes. Weights change no time, so they are random."""
        profiling, folder = branch.profiling, branch.profiling.folder
        text, table, device = profiling.space.to_text(arch), profiling.table, profiling.device
        name = digest_json(text)[:10]
        path, precision = folder.path / "front" / f"{name}.onnx", device.target().precision

        def work(progress: Progress) -> Result:
            where, budget_ms = profiling.table_folder, self.branches.budget.ms
            said = vars(measure_network(profiling.space, arch, table, where, budget_ms, device, path, progress))
            return {name: said[name] for name in ("measured_ms", "measured_ci95_ms", "raw_median_ms", "slowdown")}

        inputs = {"arch": text, "table": table.digest, "precision": precision}
        return folder.do(Stage("front", "measuring the front", inputs, (path,), name), work)


def spread(ms: Floats, count: int) -> NDArray[np.int64]:
    """Indices, ascending, of `count` of the latencies [n] that are nearest to evenly spaced ones; of all at most."""
    left, picked = list(range(len(ms))), list[int]()
    for aim_ms in np.linspace(ms.min(), ms.max(), min(count, len(ms))):
        picked.append(min(left, key=lambda i: abs(ms[i] - aim_ms)))
        left.remove(picked[-1])
    return np.array(sorted(picked), dtype=np.int64)
