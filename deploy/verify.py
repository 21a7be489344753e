"""What the device says about a finished model: its milliseconds in fresh processes, PASS or FAIL."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from latency_tables import LatencyTable, Measurement, ProfilerError, TableError, quiet_reference_us, summarise
from latency_tables.progress import Progress, silent
from profilers import Plan, Protocol, write_plan
from profilers.where import Device

# Rounds are processes here: memory placement makes one process in thirty differ by 2-9 %.
PROTOCOL = Protocol(in_a_row=4, minimum_rounds=5, maximum_rounds=5)
_KEY = "network"


@dataclass(frozen=True)
class Verification:
    """A model measured against a budget. PASS only when the whole 95 % interval is inside it.

    `measured_ms` is at the table's quiet reference speed, so a machine that is slow today does not fail a good
    model; `raw_median_ms` is what the wall clock said, `slowdown` how much slower the reference ran than then.
    """

    model_sha256: str
    budget_ms: float
    measured_ms: float
    measured_ci95_ms: tuple[float, float]
    raw_median_ms: float
    slowdown: float
    verified: bool

    @property
    def verdict(self) -> str:
        """PASS or FAIL."""
        return "PASS" if self.verified else "FAIL"


def verify(
    model: Path,
    reference: Path,
    table: LatencyTable,
    budget_ms: float,
    device: Device,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Verification:
    """Measure an ONNX file on the table's target, in several fresh processes; the median over processes counts.

    `reference` is the table's own reference model. With a `folder` for plan and journal, what was measured before is
    not measured again. Raises `ProfilerError` when the model cannot be run and `TableError` when the table was made
    for another target or with another reference.
    """
    table.provenance.target.require(device.target(), "the latency table")
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as where:
        plan = verification_plan(model, reference, table, Path(where))
        visits = device.measure(plan, Path(where) / "verify.jsonl", PROTOCOL, progress, fresh=True)
    return judge(model, table, budget_ms, visits)


def verification_plan(model: Path, reference: Path, table: LatencyTable, folder: Path) -> Plan:
    """What is to be measured, written into `folder`; raises as `verify` does."""
    contents = _read(model, "model"), _read(reference, "reference model")
    if hashlib.sha256(contents[1]).hexdigest() != table.provenance.reference_sha256:
        raise TableError(f"{reference} is not the reference model of the latency table; use the one beside its rows")
    return write_plan(folder, table.provenance.space, contents[1], [(_KEY, None, None, contents[0])])


def judge(model: Path, table: LatencyTable, budget_ms: float, visits: Sequence[Measurement]) -> Verification:
    """What visits to a model file say; raises `ProfilerError` when the runtime refused it."""
    require_run(model, visits)
    quiet_us = quiet_reference_us(visits)
    s = summarise(visits, quiet_us)
    quiet_ms = table.provenance.reference_us / 1e3
    low, high = s.ratio_ci95[0] * quiet_ms, s.ratio_ci95[1] * quiet_ms
    return Verification(
        model_sha256=hashlib.sha256(_read(model, "model")).hexdigest(),
        budget_ms=budget_ms,
        measured_ms=s.ratio * quiet_ms,
        measured_ci95_ms=(low, high),
        raw_median_ms=s.raw_median_us / 1e3,
        slowdown=quiet_us / table.provenance.reference_us,
        verified=high <= budget_ms,
    )


def require_run(model: Path, visits: Sequence[Measurement]) -> None:
    """Raise `ProfilerError` when a visit says that the runtime refused the model."""
    if failed := [v.error for v in visits if v.error]:
        raise ProfilerError(f"{model}: {failed[0]}")


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ProfilerError(f"cannot read the {what} {path}: {e.strerror}") from None
