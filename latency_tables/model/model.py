"""Table + calibration -> milliseconds and an interval, for a whole population at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Protocol

import numpy as np

from latency_tables.arrays import Floats, Population
from latency_tables.errors import HwnasError, MissingOpError
from latency_tables.model.calibration import KNEES, Calibration, fit_calibration
from latency_tables.model.features import TOTALS, Features, OpFeatures
from latency_tables.op import Op
from latency_tables.table import Coverage, LatencyTable

Slots = Sequence[Sequence[Sequence[Op]]]


class SlottedSpace(Protocol):
    """What a latency model asks of a search space: which ops each choice of each slot is made of."""

    @property
    def slots(self) -> Slots:
        """`slots[s][c]`: the ops that choice c of slot s adds to the network (none is fine)."""

    def slot_choices(self, population: Population) -> Population:
        """The choice of every slot, shape [n, slots], of genotypes [n, genes]."""

    def pruned_choices(self, population: Population, pruning: str) -> Population:
        """The same, without the ops that a runtime drops; asked only of a space whose table says so."""


@dataclass(frozen=True)
class LatencyPrediction:
    """Milliseconds and the ends of the interval, each of shape [n]."""

    ms: Floats
    lower_ms: Floats
    upper_ms: Floats


@dataclass(frozen=True)
class UpperTerms:
    """Upper bounds of latency as a sum: `constant`, what every choice of every slot adds, [choices] each, and `knees`.

    Each knee is the megabytes of weights at which it lies, and the ms of every megabyte over it (less than 0 where they
    get cheaper); `weight_mb` is what every choice of every slot weighs, [choices] each.
    """

    constant: float
    per_slot: Sequence[Floats]
    weight_mb: Sequence[Floats]
    knees: tuple[tuple[float, float], ...]


def slot_sums(per_slot: Sequence[Floats], choices: Population) -> Floats:
    """Sum one additive cost over slots: one gather a slot, shape [n] from choices [n, slots]."""
    total = np.zeros(len(choices))
    for costs, column in zip(per_slot, choices.T, strict=True):
        total += costs[column]
    return total


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

    @cached_property
    def _op_features(self) -> OpFeatures:
        return OpFeatures(self.table)

    @cached_property
    def _choice_features(self) -> list[Floats]:
        """The columns of every choice of every slot, [choices, columns] each; NaN milliseconds where an op has none."""
        of = {op: self._op_features.of(op) for slot in self.space.slots for choice in slot for op in choice}
        nothing = np.zeros(len(self._op_features.names))
        return [np.array([sum((of[op] for op in choice), nothing) for choice in slot]) for slot in self.space.slots]

    @cached_property
    def _additive_ms(self) -> list[Floats]:
        """What every choice of every slot adds to the prediction, [choices] each."""
        if self.calibration is None:
            return [columns[:, 0] for columns in self._choice_features]
        per_unit = self.calibration.additive(self._op_features.names)
        return [columns @ per_unit + 0 * columns[:, 0] for columns in self._choice_features]  # NaN stays NaN

    @cached_property
    def _weight_mb(self) -> list[Floats]:
        return [columns[:, TOTALS.index("weight_mb")] for columns in self._choice_features]

    def _choices(self, population: Population) -> Population:
        archs, pruning = np.atleast_2d(population), self.table.pruning
        return self.space.pruned_choices(archs, pruning) if pruning else self.space.slot_choices(archs)

    def features(self, population: Population) -> Features:
        """What the table knows of genotypes [n, genes]; raises `MissingOpError` naming an op that has no time."""
        choices = self._choices(population)
        values = np.zeros((len(choices), len(self._op_features.names)))
        for columns, chosen in zip(self._choice_features, choices.T, strict=True):
            values += columns[chosen]
        self._require_times(values[:, 0], choices)
        return Features(self._op_features.names, values)

    def _require_times(self, ms: Floats, choices: Population) -> None:
        """NaN, not 0, stands for an op without a time: name it."""
        if not (bad := np.flatnonzero(np.isnan(ms))).size:
            return
        used = [slot[c] for slot, c in zip(self.space.slots, choices[bad[0]], strict=True)]
        for op in chain.from_iterable(used):
            _ = self.table[op]  # raises, naming the op
        raise MissingOpError("an op of this network has no time")

    def predict(self, population: Population) -> LatencyPrediction:
        """Latency of genotypes [n, genes]; raises `MissingOpError` naming an op that has no time."""
        choices = self._choices(population)
        ms = slot_sums(self._additive_ms, choices)
        self._require_times(ms, choices)
        if self.calibration is None:
            return LatencyPrediction(ms, ms, ms)
        ms += self.calibration.coefficient("constant")
        if any(map(self.calibration.coefficient, KNEES)):
            ms += self.calibration.over_knees_ms(slot_sums(self._weight_mb, choices))
        return LatencyPrediction(ms, *self.calibration.bounds_ms(ms))

    def upper_ms_terms(self) -> UpperTerms | None:
        """The upper end of the interval taken apart, for an exact search.

        None where it is no such sum: a runtime that drops dead branches, a choice without a time.
        """
        per_slot = self._additive_ms
        if self.table.pruning or not all(np.isfinite(ms).all() for ms in per_slot):
            return None
        if (calibration := self.calibration) is None:
            return UpperTerms(0.0, per_slot, self._weight_mb, ())
        wider = 1 + calibration.relative_half_width
        per_mb = (wider * calibration.coefficient(name) for name in KNEES)
        knees = tuple((knee, price) for knee, price in zip(calibration.knees_mb, per_mb, strict=False) if price)
        constant = calibration.coefficient("constant") * wider
        return UpperTerms(constant, [ms * wider for ms in per_slot], self._weight_mb, knees)

    def calibrated(self, population: Population, measured_ms: Floats) -> LatencyModel:
        """This model, calibrated on genotypes [n, genes] that were measured, [n] ms."""
        return replace(self, calibration=fit_calibration(self.features(population), measured_ms))

    def corrected(self, arch: Population, measured_ms: float) -> LatencyModel:
        """This model after the device contradicted it on one genotype [genes]."""
        if self.calibration is None:
            raise HwnasError("a model without a calibration cannot be corrected; calibrate it first")
        return replace(self, calibration=self.calibration.corrected(self.features(arch), measured_ms))

    def op_ms(self, ops: Sequence[Op]) -> Floats:
        """How a network's predicted milliseconds divide over its ops, shape [len(ops)]; they add up to the whole.

        Terms that belong to no single op (the constant, the knees) are shared out in proportion to the ops' time.
        """
        own = np.array([(self.table[op].median_us or np.nan) / 1e3 for op in ops])
        if self.calibration is None:
            return own
        columns = np.array([self._op_features.of(op) for op in ops])
        total = Features(self._op_features.names, columns.sum(axis=0, keepdims=True))
        parts: Floats = columns @ self.calibration.additive(self._op_features.names)
        rest = float(self.calibration.predict_ms(total)[0]) - parts.sum()
        return np.asarray(parts + rest * own / own.sum())
