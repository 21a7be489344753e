"""Measure every model of a plan in interleaved rounds, journalled one visit at a time."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from latency_tables import Journal, LatencyTable, Measurement, Provenance, TableError, Target, quiet_reference_us
from latency_tables.measurement import elapsed_s
from latency_tables.progress import Progress, silent
from latency_tables.table import row_from_visits
from profilers._base import Profiler
from profilers.device.machine import quiet, versions_here
from profilers.isolated import Request, run_isolated
from profilers.plan import Plan, PlannedModel, folder_at, read_plan
from profilers.protocol import Protocol, by_key, known_quiet_us, stop_reason, visit_model

_RECENT = 500  # visits that say what the reference network's quiet time is: all would take longer than a visit


def journal_header(plan: Plan, target: Target, protocol: Protocol) -> dict[str, Any]:
    """What tells the journal of this work from others."""
    return {
        "plan": [m.sha256 for m in plan.models],
        "reference": plan.reference_sha256,
        "target": vars(target) | {"power_mode": ""},
        "protocol": protocol.to_json(),
    }


def measure_plan(
    plan: Plan,
    profiler: Profiler,
    journal_path: Path,
    protocol: Protocol,
    progress: Progress = silent,
    fresh: bool = False,
) -> list[Measurement]:
    """Visit every model once per round (or `in_a_row` times), in a new order each round, until its interval is narrow.

    Every round has a fresh process where that is asked for by `fresh`, or the runtime is quick to start and the plan
    is no part of a kit, if another process can make the runtime; else all rounds run in this one. Each visit is in the
    journal before the next one starts; those already there are not made again. Raises `JournalError` when the journal
    is of other work, in use, or the disk is full.
    """
    spec = profiler.spec
    if spec is None or not (fresh or (profiler.quick_to_start and isinstance(plan.folder, Path))):
        return measure_here(plan, profiler, journal_path, protocol, progress)
    header = journal_header(plan, profiler.target(), protocol)
    folder, journal = str(Path(str(plan.folder)).resolve()), str(journal_path.resolve())
    visits = _journalled(journal_path, header)
    for round_ in range(protocol.rounds):
        if unfinished(plan.models, visits, protocol, round_):
            run_isolated(MeasureRound(spec, protocol, folder, journal, round_), progress)
            visits = _journalled(journal_path, header)
    progress(len(visits), len(visits), "measured")
    return visits


def _journalled(path: Path, header: Mapping[str, Any]) -> list[Measurement]:
    with Journal(path, header) as journal:
        return [Measurement.from_json(record) for record in journal]


def measure_here(
    plan: Plan,
    profiler: Profiler,
    journal_path: Path,
    protocol: Protocol,
    progress: Progress = silent,
    rounds: Sequence[int] | None = None,
) -> list[Measurement]:
    """As `measure_plan`, all in this process; `rounds`: which of them, all by default."""
    target = profiler.target()
    header, reference_model = journal_header(plan, target, protocol), plan.reference()
    with Journal(journal_path, header) as journal, quiet(target.threads), profiler.open(reference_model) as reference:
        visits = [Measurement.from_json(record) for record in journal]
        for _ in range(protocol.warmup_runs * protocol.reference_runs):
            reference.run()
        for round_ in range(protocol.rounds) if rounds is None else rounds:
            todo = unfinished(plan.models, visits, protocol, round_)
            random.Random(round_).shuffle(todo)
            later_rounds = max(0, protocol.minimum_rounds - round_ - 1)
            expected = len(visits) + (len(todo) + later_rounds * len(plan.models)) * protocol.in_a_row
            for model, visits_left in todo:
                for _ in range(visits_left):
                    progress(len(visits), max(expected, len(visits) + 1), f"round {round_ + 1}: {model.key}")
                    content, quiet_us = plan.model(model), known_quiet_us(visits[-_RECENT:])
                    measured = visit_model(profiler, content, reference, protocol, model.key, round_, quiet_us)
                    journal.append(measured.to_json())
                    visits.append(measured)
                    if measured.error:
                        break
        progress(len(visits), len(visits), "measured")
    return visits


@dataclass(frozen=True)
class MeasureRound(Request):
    """One round of the plan in the folder `plan`, perhaps in a kit, into `journal`; answers nothing."""

    protocol: Protocol
    plan: str
    journal: str
    round: int

    def work(self, profiler: Profiler, progress: Progress) -> None:
        """Measure it; what this round builds, the next ones start."""
        journal, folder = Path(self.journal), folder_at(self.plan)
        profiler.keep_engines((folder if isinstance(folder, Path) else journal.parent) / "engines")
        measure_here(read_plan(folder), profiler, journal, self.protocol, progress, [self.round])


def unfinished(
    models: Sequence[PlannedModel], visits: Sequence[Measurement], protocol: Protocol, round_: int
) -> list[tuple[PlannedModel, int]]:
    """The models that still need visits in this round, and how many visits.

    Only earlier rounds decide who takes part, and what counts as quiet, so that later ones change nothing of it.
    """
    done, before = by_key(visits), [v for v in visits if v.round < round_]
    earlier, quiet_us = by_key(before), known_quiet_us(before)
    left = []
    for model in models:
        mine = done.get(model.key, ())
        missing = 0 if any(v.error for v in mine) else protocol.in_a_row - sum(v.round == round_ for v in mine)
        if missing > 0 and stop_reason(earlier.get(model.key, ()), protocol, quiet_us) is None:
            left.append((model, missing))
    return left


def lacking(plan: Plan, visits: Sequence[Measurement], protocol: Protocol) -> set[str]:
    """The keys of the models of a plan that the protocol asks to visit once more; none: all is measured."""
    rounds = range(protocol.rounds)
    return {model.key for round_ in rounds for model, _ in unfinished(plan.models, visits, protocol, round_)}


def table_from_plan(
    plan: Plan,
    target: Target,
    visits: Sequence[Measurement],
    protocol: Protocol,
    versions: Mapping[str, str] | None = None,
) -> LatencyTable:
    """The latency table of a plan that was measured on `target`; `versions` are of what ran there, by default here.

    Raises `TableError` when not a single op could be measured.
    """
    try:
        reference_us = quiet_reference_us(visits)
    except ValueError:
        first = next((v.error for v in visits if v.error), "nothing was measured")
        raise TableError(f"no op of {plan.space} could be measured: {first}") from None
    done = by_key(visits)
    rows = []
    for op, cost in plan.costs.items():
        mine = done.get(op.key, [])
        why = stop_reason(mine, protocol, reference_us) or ""
        rows.append(row_from_visits(op, cost, mine, reference_us, why))
    started = min(v.started_unix_s for v in visits)
    provenance = Provenance(
        target=target,
        space=plan.space,
        reference_us=reference_us,
        reference_sha256=plan.reference_sha256,
        protocol=protocol.to_json(),
        measured_at=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        seconds=elapsed_s(visits),
        versions=dict(versions_here() if versions is None else versions),
    )
    return LatencyTable(tuple(rows), provenance, plan.reference())
