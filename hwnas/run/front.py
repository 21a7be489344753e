"""The Pareto front of a run's search, and what the device says of some of its networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.verify import verify
from hwnas.lowering.op_models import network_to_time
from hwnas.lowering.precision import in_precision
from hwnas.run.inputs import Stages
from hwnas.run.profiling import Profiling
from hwnas.run.search import SearchStage
from hwnas.run.stage import Result, Stage
from hwnas.search import Evaluated
from hwnas.spaces import Genotype
from latency_tables import LatencyPrediction
from latency_tables.arrays import Floats
from latency_tables.model.agreement import Agreement
from latency_tables.progress import Progress
from latency_tables.storage.files import REFERENCE_FILE, digest_json, write_atomically


@dataclass(frozen=True)
class MeasuredFront:
    """Networks of the front, fastest first: what was predicted, what was measured, and its 95 % interval [n, 2]."""

    networks: Evaluated
    agreement: Agreement
    ci95_ms: Floats
    plot: Path


@dataclass(frozen=True)
class Front(Stages):
    """The front of the first search: predicted at once, measured network by network."""

    profiling: Profiling
    search: SearchStage

    def predicted(self) -> tuple[Evaluated, LatencyPrediction]:
        """The front, fastest first, and its latencies."""
        self.search.require_feasible()
        front = self.search.choose().front
        front = front[np.argsort(front.ms, kind="stable")]
        return front, self.profiling.latency().predict(front.population)

    def measured(self, count: int) -> MeasuredFront:
        """`count` networks of the front, or all if it has fewer, spread over its latencies; draws `front.png`."""
        from hwnas.report.agreement import agreement_plot

        front, prediction = self.predicted()
        chosen = spread(prediction.ms, count)
        said = [self._measure(arch) for arch in front.population[chosen]]
        measured_ms, ci95_ms = (np.array([one[name] for one in said]) for name in ("measured_ms", "measured_ci95_ms"))
        agreement = Agreement(LatencyPrediction(*(ms[chosen] for ms in vars(prediction).values())), measured_ms)
        plot = self.folder.path / "front.png"
        agreement_plot([("front", agreement)], measured_ci_ms=ci95_ms).savefig(plot, dpi=150)
        return MeasuredFront(front[chosen], agreement, ci95_ms, plot)

    def _measure(self, arch: Genotype) -> Result:
        """Stage `front`: one network on the device in fresh processes. Weights change no time, so they are random."""
        text, table, device = self.space.to_text(arch), self.profiling.table, self.profiling.device
        name = digest_json(text)[:10]
        path, precision = self.folder.path / "front" / f"{name}.onnx", device.target().precision

        def work(progress: Progress) -> Result:
            model = in_precision(network_to_time(self.space, arch), precision, form=device.int8_form)
            write_atomically(path, model)
            reference = self.profiling.table_folder / REFERENCE_FILE
            said = vars(verify(path, reference, table, self.search.budget.ms, device, path.with_suffix(""), progress))
            return {name: said[name] for name in ("measured_ms", "measured_ci95_ms", "raw_median_ms", "slowdown")}

        inputs = {"arch": text, "table": table.digest, "precision": precision}
        return self.folder.do(Stage("front", "measuring the front", inputs, (path,), name), work)


def spread(ms: Floats, count: int) -> NDArray[np.int64]:
    """Indices, ascending, of `count` of the latencies [n] that are nearest to evenly spaced ones; of all at most."""
    left, picked = list(range(len(ms))), list[int]()
    for aim_ms in np.linspace(ms.min(), ms.max(), min(count, len(ms))):
        picked.append(min(left, key=lambda i: abs(ms[i] - aim_ms)))
        left.remove(picked[-1])
    return np.array(sorted(picked), dtype=np.int64)
