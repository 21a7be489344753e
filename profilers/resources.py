"""What a model takes besides time, where the device tells: peak memory and energy, a process a model."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from latency_tables import Journal, LatencyTable, ProfilerError, TableRow, Target
from latency_tables.progress import Progress, silent
from latency_tables.storage.serialise import from_plain
from profilers._base import Session
from profilers.device.energy import EnergyCounter, EnergyMeter, energy_mj_per_run
from profilers.device.memory import peak_memory_mb
from profilers.device.nvidia import NvidiaGpu
from profilers.plan import Plan
from profilers.runtimes import profiler_for


@dataclass(frozen=True)
class Resources:
    """Megabytes that opening and running a model adds to a fresh process; millijoules of one run. None: not told."""

    peak_memory_mb: float | None = None
    energy_mj: float | None = None
    error: str | None = None


def measure_resources(
    plan: Plan, target: Target, journal_path: Path, energy_s: float = 1.0, progress: Progress = silent
) -> dict[str, Resources]:
    """Open and run every model of a plan once in a fresh process, then for `energy_s` where energy is counted.

    Half a second a model. What the runtime refuses has an error. Journalled model by model, so that it goes on where
    it was stopped; raises `JournalError` when the journal is of other work.
    """
    header = {"resources of": [m.sha256 for m in plan.models], "target": asdict(target), "energy_s": energy_s}
    with Journal(journal_path, header) as journal:
        done = {str(record.pop("key")): from_plain(Resources, record) for record in map(dict, journal)}
        for model in plan.models:
            if model.key in done:
                continue
            progress(len(done), len(plan.models), model.key)
            done[model.key] = _elsewhere(plan.model(model), target, energy_s)
            journal.append({"key": model.key, **asdict(done[model.key])})
        progress(len(done), len(plan.models), "measured")
    return done


def with_resources(table: LatencyTable, found: Mapping[str, Resources]) -> LatencyTable:
    """The table with memory and energy in the rows of the ops that were measured (by their keys)."""
    rows = []
    for row in table.rows:
        mine = found.get(row.op.key)
        rows.append(row if mine is None else _with(row, mine))
    return replace(table, rows=tuple(rows))


def _with(row: TableRow, found: Resources) -> TableRow:
    return replace(row, peak_memory_mb=found.peak_memory_mb, energy_mj=found.energy_mj)


def _elsewhere(model: bytes, target: Target, energy_s: float) -> Resources:
    # A new process a model: memory that an earlier one gave back to the allocator would hide the growth of the next.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(resources_here, model, target, energy_s).result()
        except BrokenProcessPool:
            return Resources(error="the process that ran it died; it may have been out of memory")


def resources_here(model: bytes, target: Target, energy_s: float) -> Resources:
    """One model's resources, measured in this process."""
    opened: list[Session] = []
    try:
        profiler = profiler_for(target)

        def work() -> None:
            opened.append(profiler.open(model))
            opened[0].run()

        memory_mb = peak_memory_mb(work)
        on_gpu = target.runtime.endswith(("cuda", "tensorrt"))
        with ExitStack() as stack:
            stack.callback(opened[0].close)
            meter = None if not on_gpu else _gpu_meter(stack.enter_context(NvidiaGpu()))
            return Resources(None if on_gpu else memory_mb, energy_mj_per_run(opened[0], energy_s, meter))
    except ProfilerError as e:
        return Resources(error=str(e))


def _gpu_meter(gpu: NvidiaGpu) -> EnergyMeter:
    return EnergyMeter([EnergyCounter(gpu.energy_uj)])
