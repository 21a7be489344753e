"""Sums of tables that bend: what weights cost in a device whose cache they overflow. Searched exactly all the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latency_tables.additive.factors import Factors
from latency_tables.arrays import Floats, Population


@dataclass(frozen=True)
class Hinge:
    """`slope` for every unit of `load` over `knee`, and nothing below it."""

    slope: float
    load: Factors
    knee: float

    def __call__(self, population: Population) -> Floats:
        """Of genotypes [n, genes], [n]."""
        over: Floats = self.slope * np.maximum(self.load(population) - self.knee, 0)
        return over


@dataclass(frozen=True)
class Hinged:
    """Called with genotypes [n, genes] it gives [n]: a sum of tables, and what `hinges` add to it."""

    additive: Factors
    hinges: tuple[Hinge, ...]

    def __call__(self, population: Population) -> Floats:
        """The sums of genotypes [n, genes], [n]."""
        total = self.additive(population)
        for hinge in self.hinges:
            total += hinge(population)
        return total

    def scaled(self, factor: float) -> Hinged:
        """Every value times `factor`."""
        bent = tuple(replace(hinge, slope=factor * hinge.slope) for hinge in self.hinges)
        return Hinged(self.additive.scaled(factor), bent)
