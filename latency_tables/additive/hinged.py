"""Sums of tables that bend: what weights cost in a device whose cache they overflow. Searched exactly all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from latency_tables.additive.factors import Factors
from latency_tables.additive.gather import LookUps
from latency_tables.arrays import Floats, Population


@dataclass(frozen=True)
class Hinge:
    """`slope` for every unit of `load` over `knee`, and nothing below it."""

    slope: float
    load: Factors
    knee: float


@dataclass(frozen=True)
class Hinged:
    """Called with genotypes [n, genes] it gives [n]: a sum of tables, and what `hinges` add to it."""

    additive: Factors
    hinges: tuple[Hinge, ...]

    @cached_property
    def _loads(self) -> tuple[Factors, ...]:
        return tuple({id(hinge.load): hinge.load for hinge in self.hinges}.values())

    @cached_property
    def _look_ups(self) -> LookUps:
        return self.additive.beside(*self._loads)

    def __call__(self, population: Population) -> Floats:
        """The sums of genotypes [n, genes], [n]."""
        total, *loads = self._look_ups(population)
        of_load = dict(zip(map(id, self._loads), loads, strict=True))
        for hinge in self.hinges:
            over = of_load[id(hinge.load)] - hinge.knee
            np.maximum(over, 0, out=over)
            over *= hinge.slope
            total = np.add(total, over, out=over)
        return total

    def scaled(self, factor: float) -> Hinged:
        """Every value times `factor`."""
        bent = tuple(replace(hinge, slope=factor * hinge.slope) for hinge in self.hinges)
        return Hinged(self.additive.scaled(factor), bent)

    def restricted(self, allowed: Sequence[Sequence[int]]) -> Hinged:
        """The same function of fewer networks, as `Factors.restricted`."""
        loads = {id(load): load.restricted(allowed) for load in self._loads}
        bent = tuple(replace(hinge, load=loads[id(hinge.load)]) for hinge in self.hinges)
        return Hinged(self.additive.restricted(allowed), bent)
