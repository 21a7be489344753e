"""Measuring in fresh processes, where a model runs as it will once it is shipped.

In a process that has trained, or only loaded torch, the same model is 1-3 % slower, and one process differs from the
next by a percent or so: it depends on where memory happens to lie. So every round of a plan has a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency_tables import Journal, Measurement, ProfilerError, Target
from latency_tables.progress import Progress, silent
from profilers._base import Profiler
from profilers.plan import Plan
from profilers.profile import journal_header, measure_plan, unfinished
from profilers.protocol import Protocol

# Others compile for seconds when they start, or are the user's own, which a new process would not know by name.
QUICK_TO_START = ("onnxruntime", "openvino", "ncnn")


@dataclass(frozen=True)
class FreshMeasurement:
    """The visits of one model in a fresh process and the target it saw."""

    visits: tuple[Measurement, ...]
    target: dict[str, Any]


def measure_model(
    model: Path,
    reference: Path,
    *,
    runtime: str,
    threads: int,
    batch: int,
    protocol: Protocol,
    rounds: int,
    precision: str = "fp32",
) -> FreshMeasurement:
    """Visit `model` `rounds` times beside `reference` in one fresh process; raises `ProfilerError` when that fails."""
    how = {"runtime": runtime, "threads": threads, "batch": batch, "precision": precision}
    work = {"model": str(model.resolve()), "reference": str(reference.resolve()), "rounds": rounds}
    with _worker({**how, **work, "protocol": protocol.to_json()}) as answers:
        said = list(answers)
    return FreshMeasurement(tuple(map(Measurement.from_json, said[-1]["visits"])), said[-1]["target"])


def measure_plan_freshly(
    plan: Plan, profiler: Profiler, journal_path: Path, protocol: Protocol, progress: Progress = silent
) -> list[Measurement]:
    """As `measure_plan`, each round in a fresh process where the runtime is `QUICK_TO_START`, else in this one."""
    target = profiler.target()
    if target.runtime not in QUICK_TO_START or not isinstance(plan.folder, Path):
        return measure_plan(plan, profiler, journal_path, protocol, progress)
    visits = _visits(plan, target, journal_path, protocol)
    for round_ in range(protocol.maximum_rounds):
        if not unfinished(plan.models, visits, protocol, round_):
            continue
        how = {"runtime": target.runtime, "threads": target.threads, "batch": target.batch}
        where = {"plan": str(plan.folder.resolve()), "journal": str(journal_path.resolve()), "round": round_}
        request = {**how, **where, "precision": target.precision, "protocol": protocol.to_json()}
        with _worker(request) as answers:
            for answer in answers:
                progress(*answer["progress"])
        visits = _visits(plan, target, journal_path, protocol)
    progress(len(visits), len(visits), "measured")
    return visits


def _visits(plan: Plan, target: Target, journal_path: Path, protocol: Protocol) -> list[Measurement]:
    with Journal(journal_path, journal_header(plan, target, protocol)) as journal:
        return [Measurement.from_json(record) for record in journal]


@contextmanager
def _worker(request: Mapping[str, Any]) -> Iterator[Iterator[Any]]:
    """A new interpreter that works on a request; gives its answers, line by line, as they come.

    Raises `ProfilerError` with its last words when it fails. It does not outlive this context.
    """
    # -P: a folder called profilers where the user stands must not be taken for ours.
    command = [sys.executable, "-P", "-m", "profilers.worker"]
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it died at once; its last words say why
                process.stdin.write(json.dumps(request))
                process.stdin.close()
            yield map(json.loads, process.stdout)
            process.stdout.read()
        finally:
            if process.poll() is None:
                process.terminate()
            process.stdout.close()
            code = process.wait()
        if code != 0:
            words.seek(0)
            last = words.read().strip().splitlines()[-1:] or [f"exit {code}"]
            raise ProfilerError(f"the measuring process failed: {last[0]}")
