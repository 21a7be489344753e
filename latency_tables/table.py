"""The latency table: immutable rows, op -> statistics, with the provenance they are true for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from latency_tables.errors import MissingOpError
from latency_tables.measurement import Measurement, summarise
from latency_tables.op import Op
from latency_tables.target import Target


@dataclass(frozen=True)
class OpCost:
    """What an op costs wherever it runs: megabytes of weights, multiply-accumulates, parameters."""

    weight_mb: float
    macs: int
    params: int


@dataclass(frozen=True)
class TableRow:
    """One op's latency. Microseconds are at the reference network's quiet speed; `error` says why there is none.

    Peak memory is what opening the op's model and running it adds to a fresh process, energy what one run costs the
    device; None where nobody measured them or the device does not tell.
    """

    op: Op
    cost: OpCost
    median_us: float | None = None
    ci95_low_us: float | None = None
    ci95_high_us: float | None = None
    min_us: float | None = None
    raw_median_us: float | None = None
    groups: int = 0
    rounds: int = 0
    stop_reason: str = ""
    error: str | None = None
    throttled_rounds: int = 0
    peak_memory_mb: float | None = None
    energy_mj: float | None = None


@dataclass(frozen=True)
class Provenance:
    """Where a table comes from. `reference_us` turns ratios to the reference network back into time.

    `networks_sha256`: digest of the calibration networks beside the table, "" when there are none. `pruning`: which ops
    of a network the runtime drops, as the space names it ("" for none); the times are of the others.
    `relative_half_width`: half of the 90 % interval of a table fitted on whole networks, relative to the prediction.
    """

    target: Target
    space: str
    reference_us: float
    reference_sha256: str
    protocol: Mapping[str, float]
    measured_at: str
    seconds: float
    versions: Mapping[str, str] = field(default_factory=dict)
    networks_sha256: str = ""
    pruning: str = ""
    relative_half_width: float = 0.0


@dataclass(frozen=True)
class Coverage:
    """Which ops a table has a time for; `missing` and `failed` are named, never counted as 0 ms."""

    hit: tuple[Op, ...]
    missing: tuple[Op, ...]
    failed: tuple[Op, ...]

    @property
    def complete(self) -> bool:
        """Whether every op asked for has a time."""
        return not self.missing and not self.failed


@dataclass(frozen=True)
class LatencyTable:
    """Rows by op, and what they are true for. `reference_model` is the ONNX model that every ratio refers to."""

    rows: tuple[TableRow, ...]
    provenance: Provenance
    reference_model: bytes

    @cached_property
    def _by_op(self) -> dict[Op, TableRow]:
        return {row.op: row for row in self.rows}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of every row and of the provenance: the same digest, the same table, however it is calibrated."""
        provenance = asdict(replace(self.provenance, networks_sha256=""))
        text = json.dumps([*(asdict(row) for row in self.rows), provenance], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def find(self, op: Op) -> TableRow | None:
        """The row of `op`, with or without a time, or None."""
        return self._by_op.get(op)

    def __getitem__(self, op: Op) -> TableRow:
        """The row of `op`; raises `MissingOpError` naming it when there is none or it failed."""
        row = self._by_op.get(op)
        if row is None:
            raise MissingOpError(
                f"the table for {self.provenance.space} on {self.provenance.target.runtime} has no row for "
                f"{op.key}; profile this space again"
            )
        if row.median_us is None:
            raise MissingOpError(f"{op.key} could not be measured ({row.error}); leave it out of the space")
        return row

    def coverage(self, ops: Iterable[Op]) -> Coverage:
        """Sort `ops` into hit / missing / failed, each once."""
        hit: list[Op] = []
        missing: list[Op] = []
        failed: list[Op] = []
        for op in dict.fromkeys(ops):
            row = self._by_op.get(op)
            (missing if row is None else failed if row.median_us is None else hit).append(op)
        return Coverage(tuple(hit), tuple(missing), tuple(failed))


def row_from_visits(
    op: Op, cost: OpCost, visits: Sequence[Measurement], reference_us: float, stop_reason: str
) -> TableRow:
    """What visits to an op say together, a row with an error where none of them says a time."""
    try:
        s = summarise(visits, reference_us)
    except ValueError:
        without_times = "the clock gave no usable times" if visits else "never visited"
        return TableRow(op, cost, error=next((v.error for v in visits if v.error), without_times), stop_reason="error")
    return TableRow(
        op,
        cost,
        median_us=s.ratio * reference_us,
        ci95_low_us=s.ratio_ci95[0] * reference_us,
        ci95_high_us=s.ratio_ci95[1] * reference_us,
        min_us=s.min_us,
        raw_median_us=s.raw_median_us,
        groups=s.groups,
        rounds=s.rounds,
        throttled_rounds=sum(bool(v.throttled) for v in visits),
        stop_reason=stop_reason,
    )
