"""`hwnas time`: how long any ONNX model takes on this device."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import one_stage
from latency_tables import HwnasError


def time_(
    model: Annotated[Path, typer.Argument(help="an ONNX file whose inputs have fixed shapes")],
    runtime: Annotated[str, typer.Option(help="inference runtime; or your own: file.py:Class")] = "onnxruntime",
    threads: Annotated[int, typer.Option(help="threads of the runtime")] = 1,
    precision: Annotated[str, typer.Option(help="what the model computes in: fp32, fp16 or int8")] = "fp32",
    budget_ms: Annotated[float | None, typer.Option(help="exit code 1 unless the whole interval is inside")] = None,
) -> Answer:
    """Time any ONNX model on this device by the protocol of the latency tables; no torch is needed.

    In five fresh processes, each run beside a reference network, so that what else the machine does cancels. Names the
    runtime's own benchmark that should agree.

    \b
    Example:
      hwnas time model.onnx --runtime openvino --budget-ms 3
    """
    from deploy.timing import time_model
    from profilers.runtimes import make_profiler

    if budget_ms is not None and not (budget_ms > 0 and math.isfinite(budget_ms)):
        raise HwnasError(f"--budget-ms must be more than 0 and finite, got {budget_ms:g}")
    profiler = make_profiler(runtime, threads, 1, precision)
    with one_stage("timing the model") as progress:
        t = time_model(model, profiler, progress)
    target, (low, high) = t.target, t.ci95_ms
    inside = None if budget_ms is None else high <= budget_ms
    lines = [
        f"{t.ms:.4g} ms (95 %: {low:.4g} to {high:.4g}) by {target.runtime} {target.runtime_version}, "
        f"{target.precision}, {target.threads} thread(s), on {target.device}",
        f"  wall clock {t.raw_median_ms:.4g} ms median, {t.raw_p5_ms:.4g} to {t.raw_p95_ms:.4g} ms from 5th to 95th "
        f"percentile of {t.runs} runs in {t.processes} processes",
        f"  the reference network took {t.reference_median:.3f} x its quietest time at the median, "
        f"{t.reference_p95:.3f} x at the 95th percentile",
    ]
    if t.command_line is not None:
        lines.append(f"  the wall clock's median should be that of: {t.command_line}")
    if inside is not None:
        lines.insert(0, f"{'PASS' if inside else 'FAIL'}: budget {budget_ms:.4g} ms")
    record = {"model": str(model), **asdict(t), "budget_ms": budget_ms, "verified": inside}
    return Answer(record, "\n".join(lines), 1 if inside is False else 0)
