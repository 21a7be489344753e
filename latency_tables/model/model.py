"""Table + calibration -> milliseconds and an interval, for a whole population at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from latency_tables.additive import Factors, Hinge, Hinged, Slot, Slots
from latency_tables.arrays import Floats, Function, Population
from latency_tables.errors import HwnasError, MissingOpError
from latency_tables.model.calibration import KNEES, Calibration, fit_calibration
from latency_tables.model.features import TOTALS, Features, OpFeatures
from latency_tables.op import Op
from latency_tables.table import Coverage, LatencyTable


class PricedSpace(Protocol):
    """What a latency model asks of a search space: which ops its slots may take."""

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """How many values each gene can take."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The places of a network, with the ops that may stand there."""

    def slot_options(self, population: Population) -> Population:
        """Which option every slot takes, [n, slots], of genotypes [n, genes]."""

    def pruned_slots(self, pruning: str) -> tuple[Slot, ...]:
        """The slots without the ops that a runtime drops; asked only of a space whose table says so."""


@dataclass(frozen=True)
class LatencyPrediction:
    """Milliseconds and the ends of the interval, each of shape [n]."""

    ms: Floats
    lower_ms: Floats
    upper_ms: Floats


@dataclass(frozen=True)
class LatencyModel:
    """Predicts the latency of any network of `space` on the table's device.

    Without a calibration the prediction is the plain sum of stand-alone ops and the interval is empty.
    """

    table: LatencyTable
    space: PricedSpace
    calibration: Calibration | None = None

    def coverage(self) -> Coverage:
        """Which ops of the space the table has: look before any search."""
        return self.table.coverage(op for slot in self.space.slots for ops in slot.options for op in ops)

    @cached_property
    def _slots(self) -> Slots:
        space, pruning = self.space, self.table.provenance.pruning
        if pruning:
            return Slots(space.cardinalities, space.pruned_slots(pruning))
        return Slots(space.cardinalities, space.slots, space.slot_options)

    @cached_property
    def _op_features(self) -> OpFeatures:
        return OpFeatures(self.table)

    @cached_property
    def _columns(self) -> list[Floats]:
        """The columns of every option of every slot, [options, columns] each; NaN milliseconds without a time."""
        ops = dict.fromkeys(op for slot in self._slots.slots for option in slot.options for op in option)
        of = {op: self._op_features.of(op) for op in ops}
        nothing = np.zeros(len(self._op_features.names))
        return [np.array([sum((of[op] for op in ops), nothing) for ops in slot.options]) for slot in self._slots.slots]

    def _sum_of(self, per_unit: Floats) -> Function:
        """A linear function of the columns, as tables over genes where there are such."""
        return self._slots.sum_of([np.nan_to_num(columns) @ per_unit for columns in self._columns])

    def features(self, population: Population) -> Features:
        """What the table knows of genotypes [n, genes]; raises `MissingOpError` naming an op that has no time."""
        archs = np.atleast_2d(population)
        self._require_times(archs)
        return Features(self._op_features.names, self._slots.gathered(self._columns, archs))

    @cached_property
    def complete(self) -> bool:
        """Whether every op that a network may have has a time."""
        return not any(np.isnan(columns[:, 0]).any() for columns in self._columns)

    def _require_times(self, population: Population) -> None:
        """An op without a time is an error that names it, never 0 ms."""
        if self.complete:
            return
        missing = self._slots.gathered([columns[:, 0] for columns in self._columns], population)
        if not (bad := np.flatnonzero(np.isnan(missing))).size:
            return
        options = self._slots.options(population[bad[:1]])[0]
        for slot, option in zip(self._slots.slots, options, strict=True):
            for op in slot.options[option]:
                _ = self.table[op]  # raises, naming the op
        raise MissingOpError("an op of this network has no time")

    @property
    def relative_half_width(self) -> float:
        """Half the interval of a prediction, relative to it: the calibration's, else the one the table was fitted with.

        0 where nothing is known of the error.
        """
        known = self.table.provenance if self.calibration is None else self.calibration
        return known.relative_half_width

    @cached_property
    def upper_ms(self) -> Function:
        """The upper end of the interval of genotypes [n, genes], [n]: what budgets are held against.

        `Factors` or `Hinged` where that is a sum over genes, so that it can be searched exactly.
        """
        names, calibration, wider = self._op_features.names, self.calibration, 1 + self.relative_half_width
        unit = np.eye(len(names))
        if calibration is None:
            per_unit, constant, knees = unit[0], 0.0, []
        else:
            per_unit, constant = calibration.additive(names), calibration.coefficient("constant")
            priced = zip(calibration.knees_mb, map(calibration.coefficient, KNEES), strict=False)
            knees = [(knee, price) for knee, price in priced if price]
        ms, weight_mb = self._sum_of(wider * per_unit), self._sum_of(unit[TOTALS.index("weight_mb")])
        if self.complete and isinstance(ms, Factors) and isinstance(weight_mb, Factors):
            hinges = tuple(Hinge(wider * price, weight_mb, knee) for knee, price in knees)
            additive = ms.plus_constant(wider * constant)
            return Hinged(additive, hinges) if hinges else additive

        def summed(population: Population) -> Floats:
            self._require_times(population)
            total, load = ms(population) + wider * constant, weight_mb(population)
            for knee, price in knees:
                total += wider * price * np.maximum(load - knee, 0)
            return total

        return summed

    def predict(self, population: Population) -> LatencyPrediction:
        """Latency of genotypes [n, genes]; raises `MissingOpError` naming an op that has no time."""
        upper = self.upper_ms(np.atleast_2d(population))
        if not (width := self.relative_half_width):
            return LatencyPrediction(upper, upper, upper)
        return LatencyPrediction(upper * (1 / (1 + width)), upper * ((1 - width) / (1 + width)), upper)

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
