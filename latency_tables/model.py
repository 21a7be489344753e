"""Table + calibration -> milliseconds and an interval, for a whole population at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from latency_tables.calibration import Calibration, Floats, NetworkFeatures
from latency_tables.errors import MissingOpError
from latency_tables.op import Op
from latency_tables.table import Coverage, LatencyTable, TableRow

Population = NDArray[np.int64]
Slots = Sequence[Sequence[Sequence[Op]]]


class SlottedSpace(Protocol):
    """What a latency model asks of a search space: which ops each choice of each slot is made of."""

    @property
    def slots(self) -> Slots:
        """`slots[s][c]`: the ops that choice c of slot s adds to the network (none is fine)."""

    def slot_choices(self, population: Population) -> Population:
        """The choice of every slot, shape [n, slots], of genotypes [n, genes]."""


@dataclass(frozen=True)
class LatencyPrediction:
    """Milliseconds and the ends of the interval, each of shape [n]."""

    ms: Floats
    lower_ms: Floats
    upper_ms: Floats


def slot_sums(per_slot: Sequence[Floats], choices: Population) -> Floats:
    """Sum one additive cost over slots: one gather a slot, shape [n] from choices [n, slots]."""
    total = np.zeros(len(choices))
    for costs, column in zip(per_slot, choices.T, strict=True):
        total += costs[column]
    return total


def slot_costs(slots: Slots, cost: Callable[[Op], float]) -> list[Floats]:
    """Additive cost of every choice of every slot, from the cost of one op."""
    return [np.array([sum(cost(op) for op in choice) for choice in slot], dtype=np.float64) for slot in slots]


@dataclass(frozen=True)
class LatencyModel:
    """Predicts the latency of any network of `space` on the table's device.

    Without a calibration the prediction is the plain sum of stand-alone ops and the interval is empty.
    """

    table: LatencyTable
    space: SlottedSpace
    calibration: Calibration | None = None

    def coverage(self) -> Coverage:
        """Which ops of the space the table has: look before any search."""
        return self.table.coverage(chain.from_iterable(c for slot in self.space.slots for c in slot))

    def _costs(self, value: Callable[[TableRow], float]) -> list[Floats]:
        coverage = self.coverage()
        absent = set(coverage.missing) | set(coverage.failed)
        # NaN, not 0: a network that uses an op without a time is refused by name in predict().
        return slot_costs(self.space.slots, lambda op: np.nan if op in absent else value(self.table[op]))

    @cached_property
    def _sum_ms(self) -> list[Floats]:
        return self._costs(lambda row: (row.median_us or np.nan) / 1e3)

    @cached_property
    def _weight_mb(self) -> list[Floats]:
        return self._costs(lambda row: row.cost.weight_mb)

    @cached_property
    def _ops(self) -> list[Floats]:
        return self._costs(lambda row: 1.0)

    def features(self, population: Population) -> NetworkFeatures:
        """What the table knows of genotypes [n, genes]; raises `MissingOpError` naming an op that has no time."""
        choices = self.space.slot_choices(np.atleast_2d(population))
        sum_ms = slot_sums(self._sum_ms, choices)
        if (bad := np.flatnonzero(np.isnan(sum_ms))).size:
            used = [slot[c] for slot, c in zip(self.space.slots, choices[bad[0]], strict=True)]
            for op in chain.from_iterable(used):
                _ = self.table[op]  # raises, naming the op
            raise MissingOpError("an op of this network has no time")
        return NetworkFeatures(sum_ms, slot_sums(self._weight_mb, choices), slot_sums(self._ops, choices))

    def predict(self, population: Population) -> LatencyPrediction:
        """Latency of genotypes [n, genes]; raises `MissingOpError` naming an op that has no time."""
        features = self.features(population)
        if self.calibration is None:
            return LatencyPrediction(features.sum_ms, features.sum_ms, features.sum_ms)
        ms = self.calibration.predict_ms(features)
        return LatencyPrediction(ms, *self.calibration.bounds_ms(ms))

    def op_ms(self, ops: Sequence[Op]) -> Floats:
        """How a network's predicted milliseconds divide over its ops, shape [len(ops)]; they add up to the whole.

        Terms that belong to no single op (the constant, the square) are shared out in proportion to the ops' time.
        """
        rows = [self.table[op] for op in ops]
        own = np.array([(row.median_us or np.nan) / 1e3 for row in rows])
        if self.calibration is None:
            return own
        weight = np.array([row.cost.weight_mb for row in rows])
        total = NetworkFeatures(*(np.array([v]) for v in (own.sum(), weight.sum(), float(len(rows)))))
        coefficients = dict(zip(self.calibration.terms, self.calibration.coefficients, strict=True))
        parts: Floats = (
            coefficients["sum_ms"] * own + coefficients.get("weight_mb", 0.0) * weight + coefficients.get("ops", 0.0)
        )
        rest = float(self.calibration.predict_ms(total)[0]) - parts.sum()
        return np.asarray(parts + rest * own / own.sum())
