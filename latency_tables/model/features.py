"""What a table knows of a network before anything is run: additive columns, so a population is a gather and a sum.

Besides the totals (milliseconds of stand-alone ops, megabytes of weights, number of ops) there is one column of each
for every value of every op attribute with few values (`sum_ms[kernel=5]`, `ops[kind=fused]`), and one that counts each
single op: what a calibration can correct is then any systematic error of a sort of op, or of an op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latency_tables.arrays import Floats
from latency_tables.op import Op
from latency_tables.table import LatencyTable

TOTALS = ("sum_ms", "weight_mb", "ops")
ONE_OP = "ops[op="
_MOST_VALUES = 12  # an attribute with more values than that (a width, say) is no sort of op


@dataclass(frozen=True)
class Features:
    """Columns of n networks: `values` is [n, len(names)]; the first three are `TOTALS`."""

    names: tuple[str, ...]
    values: Floats

    def __getitem__(self, name: str) -> Floats:
        """One column, [n]."""
        column: Floats = self.values[:, self.names.index(name)]
        return column

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, index: Sequence[int] | NDArray[np.int64] | slice) -> Features:
        """Some of the networks."""
        return Features(self.names, self.values[index])

    def with_rows(self, others: Features) -> Features:
        """These networks and others behind them."""
        return Features(self.names, np.concatenate([self.values, others.values]))


def _attributes(op: Op) -> Mapping[str, str]:
    size = {"size": str(op.in_shape[-1])} if len(op.in_shape) > 1 else {}
    return {"kind": op.kind, **size, **{name: str(value) for name, value in op.settings}}


@dataclass(frozen=True)
class OpFeatures:
    """The columns of single ops, as one table sees them. An op without a time has NaN milliseconds."""

    table: LatencyTable

    @cached_property
    def _groups(self) -> tuple[tuple[str, str], ...]:
        """(attribute, value) pairs that part the table's ops."""
        attributes = [_attributes(row.op) for row in self.table.rows]
        names = sorted({name for known in attributes for name in known})
        values = {name: sorted({known.get(name, "") for known in attributes}) for name in names}
        return tuple((n, v) for n, seen in values.items() if 1 < len(seen) <= _MOST_VALUES for v in seen if v)

    @cached_property
    def _place(self) -> dict[Op, int]:
        return {row.op: i for i, row in enumerate(self.table.rows)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names: the totals, then the totals of every sort of op, then the number of each single op."""
        sorts = (f"{total}[{name}={value}]" for name, value in self._groups for total in TOTALS)
        return (*TOTALS, *sorts, *(f"{ONE_OP}{op.key}]" for op in self._place))

    def of(self, op: Op) -> Floats:
        """One op's columns, [len(names)]; zeros but one NaN for an op that has no time."""
        row = self.table.find(op)
        if row is None or row.median_us is None:
            missing = np.zeros(len(self.names))
            missing[0] = np.nan
            return missing
        ms = row.median_us / 1e3 if row.median_us > 0 else np.nan
        totals = np.array([ms, row.cost.weight_mb, 1.0])
        known = _attributes(op)
        groups = [totals if known.get(name) == value else np.zeros(len(TOTALS)) for name, value in self._groups]
        itself = np.zeros(len(self._place))
        itself[self._place[op]] = 1
        return np.concatenate([totals, *groups, itself])
