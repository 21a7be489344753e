"""What differs between two tables: where they come from, which ops they have, how long those take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from latency_tables.arrays import Floats
from latency_tables.op import Op
from latency_tables.table import LatencyTable, Provenance, TableRow


@dataclass(frozen=True)
class OpChange:
    """An op that both tables have a time for. `disjoint`: whether their 95 % intervals have nothing in common."""

    op: Op
    a_us: float
    b_us: float
    disjoint: bool

    @property
    def ratio(self) -> float:
        """How many times as long it takes in B."""
        return self.b_us / self.a_us


@dataclass(frozen=True)
class TableDiff:
    """B against A. Ops are compared by their times; a row with an error counts as none.

    `fields`: dotted name -> (value in A, value in B) of whatever differs in the provenance; None is absent.
    `changes`: the ops with a time in both, those that changed most first.
    """

    fields: Mapping[str, tuple[Any, Any]]
    only_a: tuple[Op, ...]
    only_b: tuple[Op, ...]
    changes: tuple[OpChange, ...]

    @cached_property
    def ratios(self) -> Floats:
        """B's time over A's of every shared op, shape [len(changes)]."""
        return np.array([change.ratio for change in self.changes])

    @property
    def disjoint(self) -> int:
        """How many shared ops have intervals that do not overlap."""
        return sum(change.disjoint for change in self.changes)

    @cached_property
    def spearman(self) -> float | None:
        """Rank correlation of the shared ops' times; None for fewer than two, or when a table's are all the same."""
        a, b = np.array([(c.a_us, c.b_us) for c in self.changes]).reshape(-1, 2).T
        if len(self.changes) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
            return None
        from scipy.stats import spearmanr

        return float(spearmanr(a, b).statistic)


def compare(a: LatencyTable, b: LatencyTable) -> TableDiff:
    """What differs between two tables, which may be of other devices, runtimes or spaces."""
    times_a, times_b = _timed(a), _timed(b)
    shared = [_change(row, times_b[op]) for op, row in times_a.items() if op in times_b]
    return TableDiff(
        fields=_differences(_flat(a.provenance), _flat(b.provenance)),
        only_a=tuple(op for op in times_a if op not in times_b),
        only_b=tuple(op for op in times_b if op not in times_a),
        changes=tuple(sorted(shared, key=lambda c: (-abs(np.log(c.ratio)), c.op))),
    )


def _timed(table: LatencyTable) -> dict[Op, TableRow]:
    return {row.op: row for row in table.rows if row.median_us is not None}


def _change(a: TableRow, b: TableRow) -> OpChange:
    assert a.median_us is not None
    assert b.median_us is not None
    disjoint = False
    if not (a.ci95_low_us is None or a.ci95_high_us is None or b.ci95_low_us is None or b.ci95_high_us is None):
        disjoint = a.ci95_high_us < b.ci95_low_us or b.ci95_high_us < a.ci95_low_us
    return OpChange(a.op, a.median_us, b.median_us, disjoint)


def _flat(provenance: Provenance) -> dict[str, Any]:
    """Dotted name -> value."""
    flat: dict[str, Any] = {}
    for name, value in asdict(provenance).items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*a, *b])
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}
