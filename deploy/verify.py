"""What the device says about a finished model: its milliseconds in fresh processes, PASS or FAIL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from latency_tables import LatencyTable, Measurement, ProfilerError, TableError, quiet_reference_us, summarise
from profilers import RuntimeSetting
from profilers.isolated import ModelVisits, measure_model
from profilers.protocol import Protocol

PROCESSES = 5  # memory placement makes one process in thirty differ by 2-9 %
_VISITS = 4


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
    model: Path, reference: Path, table: LatencyTable, budget_ms: float, runtime: str | None = None
) -> Verification:
    """Measure an ONNX file on the table's target, in several fresh processes; the median over processes counts.

    `reference` is the table's own reference model; `runtime` is needed for one of one's own, `file.py:ClassName`, which
    the table knows only by the name it gives itself. Raises `ProfilerError` when the model cannot be run and
    `TableError` when the table was made for another target or with another reference.
    """
    target = table.provenance.target
    digest = _sha256(model, "model")
    if _sha256(reference, "reference model") != table.provenance.reference_sha256:
        raise TableError(f"{reference} is not the reference model of the latency table; use the one beside its rows")
    spec = RuntimeSetting(runtime or target.runtime, target.threads, target.batch, target.precision)
    visits: list[Measurement] = []
    for fresh in fresh_processes(model, reference, spec):
        target.require(fresh.target, "the latency table")
        visits += fresh.visits
    quiet_us = quiet_reference_us(visits)
    s = summarise(visits, quiet_us)
    quiet_ms = table.provenance.reference_us / 1e3
    low, high = s.ratio_ci95[0] * quiet_ms, s.ratio_ci95[1] * quiet_ms
    return Verification(
        model_sha256=digest,
        budget_ms=budget_ms,
        measured_ms=s.ratio * quiet_ms,
        measured_ci95_ms=(low, high),
        raw_median_ms=s.raw_median_us / 1e3,
        slowdown=quiet_us / table.provenance.reference_us,
        verified=high <= budget_ms,
    )


def fresh_processes(model: Path, reference: Path, spec: RuntimeSetting) -> Iterator[ModelVisits]:
    """Visits of a model beside a reference in one fresh process after another, `PROCESSES` in all, each a round.

    Raises `ProfilerError` when the model cannot be run.
    """
    for process in range(PROCESSES):
        fresh = measure_model(model, reference, spec, Protocol(), _VISITS)
        if failed := [v.error for v in fresh.visits if v.error]:
            raise ProfilerError(f"{model}: {failed[0]}")
        yield replace(fresh, visits=tuple(replace(v, round=process) for v in fresh.visits))


def _sha256(path: Path, what: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as e:
        raise ProfilerError(f"cannot read the {what} {path}: {e.strerror}") from None
