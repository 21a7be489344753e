"""What a model needs besides time, where the device reports it: peak memory and energy, one process per model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from latency_tables import Journal, LatencyTable, ProfilerError
from latency_tables.progress import Progress, silent
from latency_tables.storage.serialise import from_plain
from profilers._base import Profiler, Session
from profilers.device.energy import energy_mj_per_run
from profilers.device.memory import peak_memory_mb
from profilers.isolated import Request, run_isolated
from profilers.plan import Plan


@dataclass(frozen=True)
class Resources:
    """Megabytes that opening and running a model adds to a fresh process; millijoules per run. None: not reported."""

    peak_memory_mb: float | None = None
    energy_mj: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class MeasureResources(Request):
    """Peak memory and energy of a model file; answers `Resources`."""

    model: str
    energy_s: float

    def work(self, profiler: Profiler, progress: Progress) -> dict[str, Any]:
        """Measure them."""
        return asdict(resources_here(Path(self.model).read_bytes(), profiler, self.energy_s))


def measure_resources(
    plan: Plan, profiler: Profiler, journal_path: Path, energy_s: float = 1.0, progress: Progress = silent
) -> dict[str, Resources]:
    """Open and run every model of a plan on disk once in a fresh process, then for `energy_s` where energy is counted.

    Half a second per model. What the runtime refuses has an error. Journalled model by model, so that it resumes where
    it was stopped. Raises `JournalError` when the journal is of other work, `ProfilerError` for a profiler or a plan
    that another process cannot have.
    """
    if profiler.spec is None or not isinstance(plan.folder, Path):
        raise ProfilerError("memory and energy are measured in fresh processes: use make_profiler and a plan on disk")
    header = {
        "resources of": [m.sha256 for m in plan.models],
        "target": asdict(profiler.target()),
        "energy_s": energy_s,
    }
    with Journal(journal_path, header) as journal:
        done = {str(record.pop("key")): from_plain(Resources, record) for record in map(dict, journal)}
        for model in plan.models:
            if model.key in done:
                continue
            progress(len(done), len(plan.models), model.key)
            plan.model(model)  # a damaged file is no measurement
            request = MeasureResources(profiler.spec, str((plan.folder / model.file).resolve()), energy_s)
            done[model.key] = _isolated(request)
            journal.append({"key": model.key, **asdict(done[model.key])})
        progress(len(done), len(plan.models), "measured")
    return done


def _isolated(request: MeasureResources) -> Resources:
    # A new process per model: memory that an earlier one gave back to the allocator would hide the growth of the next.
    try:
        return from_plain(Resources, run_isolated(request))
    except ProfilerError as e:
        return Resources(error=str(e))


def with_resources(table: LatencyTable, found: Mapping[str, Resources]) -> LatencyTable:
    """The table with memory and energy in the rows of the ops that were measured (by their keys)."""
    measured = ((row, found.get(row.op.key)) for row in table.rows)
    rows = [replace(row, peak_memory_mb=r.peak_memory_mb, energy_mj=r.energy_mj) if r else row for row, r in measured]
    return replace(table, rows=tuple(rows))


def resources_here(model: bytes, profiler: Profiler, energy_s: float) -> Resources:
    """One model's resources, measured in this process."""
    opened: list[Session] = []

    def work() -> None:
        opened.append(profiler.open(model))
        opened[0].run()

    try:
        memory_mb = peak_memory_mb(work)
        with opened[0] as session:
            meter = profiler.energy_meter()
            energy_mj = None if meter is None else energy_mj_per_run(session.run, energy_s, meter)
        return Resources(memory_mb if profiler.device_kind == "cpu" else None, energy_mj)
    except ProfilerError as e:
        return Resources(error=str(e))
