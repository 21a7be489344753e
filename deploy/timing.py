"""How long any ONNX model takes on this device, by the protocol that latency tables are measured with."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deploy.verify import PROTOCOL, require_run
from hwnas.lowering.reference import reference_model
from latency_tables import Measurement, ProfilerError, Target, quiet_reference_us, summarise
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import read_file
from profilers import Profiler, measure_plan, write_plan
from profilers.model_inputs import Axes, require_static


@dataclass(frozen=True)
class Timing:
    """A model's milliseconds. There is no table, so the quiet speed is that of the reference network in these visits.

    `ms` is the fastest run of a group at that speed, the median over processes, with its 95 % interval; `raw_*_ms` are
    percentiles of all runs as the clock said. `reference_median`, `reference_p95`: how many times its quiet time the
    reference took, which is how busy the machine was. `command_line`: a tool whose median should be `raw_median_ms`.
    """

    target: Target
    inputs: Mapping[str, Axes]
    processes: int
    runs: int
    ms: float
    ci95_ms: tuple[float, float]
    raw_median_ms: float
    raw_p5_ms: float
    raw_p95_ms: float
    reference_quiet_ms: float
    reference_median: float
    reference_p95: float
    command_line: str | None

    @classmethod
    def of(
        cls, visits: Sequence[Measurement], target: Target, inputs: Mapping[str, Axes], command_line: str | None
    ) -> Timing:
        """What visits say, a round of them per process; raises ValueError without a good one."""
        quiet_us = quiet_reference_us(visits)
        s, quiet_ms = summarise(visits, quiet_us), quiet_us / 1e3
        runs_ms = np.concatenate([group.runs_us for v in visits for group in v.sound_groups]) / 1e3
        slowdowns = np.array([us for v in visits for us in v.reference_us]) / 1e3 / quiet_ms
        p5, median, p95 = np.percentile(runs_ms, (5, 50, 95)).tolist()
        return cls(
            target=target,
            inputs=inputs,
            processes=len({v.round for v in visits}),
            runs=len(runs_ms),
            ms=s.ratio * quiet_ms,
            ci95_ms=(s.ratio_ci95[0] * quiet_ms, s.ratio_ci95[1] * quiet_ms),
            raw_median_ms=median,
            raw_p5_ms=p5,
            raw_p95_ms=p95,
            reference_quiet_ms=quiet_ms,
            reference_median=float(np.median(slowdowns)),
            reference_p95=float(np.percentile(slowdowns, 95)),
            command_line=command_line,
        )


def time_model(model: Path, profiler: Profiler, progress: Progress = silent) -> Timing:
    """Time a model file in several fresh processes, beside the reference network.

    `profiler` comes from `make_profiler`, so that other processes can make it again. Raises `ProfilerError` for a
    damaged model, inputs with free axes and whatever the runtime refuses; OSError when the file cannot be read, or
    is over 1 GiB; ImportError where there is no reference, see `reference_model`.
    """
    content = read_file(model)
    inputs = require_static(content, model)
    if profiler.spec is None:
        raise ProfilerError("the runtime was made by hand; make it by make_profiler, as other processes must")
    with tempfile.TemporaryDirectory() as folder:
        reference = reference_model(profiler.target().precision, profiler.int8_form)
        plan = write_plan(Path(folder), "a model", reference, [(model.name, None, None, content)])
        visits = measure_plan(plan, profiler, Path(folder) / "visits.jsonl", PROTOCOL, progress, fresh=True)
    require_run(model, visits)
    return Timing.of(visits, profiler.target(), inputs, profiler.command_line(model))
