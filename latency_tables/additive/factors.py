"""Functions of a network that are sums of tables over a few genes each: summed fast, and searched exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latency_tables.additive.gather import Genes, LookUps, of_joint
from latency_tables.additive.joint import shape_of
from latency_tables.arrays import Floats
from latency_tables.errors import HwnasError


class NotSeparable(HwnasError):
    """A function in which too many genes depend on each other for tables or for exact search."""


class Factors:
    """Called with genotypes [n, genes] it gives [n]: the sum of `tables[genes]` at those genes' values.

    A table has an axis for each of its genes, as long as the gene has values; the table of no gene is a constant.
    """

    def __init__(self, cardinalities: Sequence[int], tables: Mapping[Genes, Floats]):
        self.cardinalities = tuple(cardinalities)
        self.tables = {genes: np.asarray(table, dtype=np.float64) for genes, table in tables.items()}
        for genes, table in self.tables.items():
            wanted = shape_of(self.cardinalities, genes)
            if table.shape != wanted or not np.isfinite(table).all():
                raise ValueError(f"the table of genes {genes} must be finite, of shape {wanted}, got {table.shape}")

    def __call__(self, population: NDArray[np.integer]) -> Floats:
        """The sums of genotypes [n, genes], [n]; fastest where they lie gene after gene in bytes (Fortran order)."""
        only: Floats = self._look_ups(population)[0]
        return only

    def beside(self, *others: Factors) -> LookUps:
        """This and other functions of the same genes in one go: called with genotypes it gives a tuple of [n]."""
        return LookUps(self.cardinalities, [f.tables for f in (self, *others)])

    @property
    def constant(self) -> float:
        """What every network has: the table of no gene."""
        return float(self.tables.get((), 0.0))

    @cached_property
    def _look_ups(self) -> LookUps:
        return self.beside()

    def of_tables(self, some: Iterable[Genes], genes: Genes) -> Floats:
        """What `some` tables, of none but some ascending `genes`, add at every joint value of those, [states].

        The last gene changes first; tables that are not there add nothing.
        """
        return of_joint(self.cardinalities, {mine: self.tables[mine] for mine in some if mine in self.tables}, genes)

    def restricted(self, allowed: Sequence[Sequence[int]]) -> Factors:
        """The same function of fewer networks: those with the `allowed` values of each gene, numbered anew."""
        cut = {genes: table[np.ix_(*(allowed[g] for g in genes))] for genes, table in self.tables.items() if genes}
        if () in self.tables:
            cut[()] = self.tables[()]
        return Factors([len(values) for values in allowed], cut)

    def scaled(self, factor: float) -> Factors:
        """Every value times `factor`."""
        return Factors(self.cardinalities, {genes: factor * table for genes, table in self.tables.items()})

    def plus_constant(self, constant: float) -> Factors:
        """Every value and `constant`."""
        return self.plus(Factors(self.cardinalities, {(): np.array(constant)}))

    def plus(self, other: Factors) -> Factors:
        """The sum of two functions of the same genes."""
        tables = dict(self.tables)
        for genes, table in other.tables.items():
            tables[genes] = tables[genes] + table if genes in tables else table
        return Factors(self.cardinalities, tables)
