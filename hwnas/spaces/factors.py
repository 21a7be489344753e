"""Functions of a network that are sums of tables over a few genes each: summed fast, and searched exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces._base import Population, SearchSpace
from latency_tables import HwnasError

Floats = NDArray[np.float64]
Genes = tuple[int, ...]

_LARGEST = 1_000_000


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

    @classmethod
    def of_slots(cls, space: SearchSpace, per_slot: Sequence[Floats]) -> Factors:
        """From what every choice of every slot adds, [choices] each; slots that follow the same genes share a table.

        Raises `NotSeparable` where a slot follows so many genes that its table would not fit.
        """
        tables: dict[Genes, Floats] = {}
        for slot, (genes, values) in enumerate(zip(space.slot_genes, per_slot, strict=True)):
            shape = shape_of(space.cardinalities, genes)
            if prod(shape) > _LARGEST:
                raise NotSeparable(
                    f"slot {slot} of {space.name} follows {len(genes)} genes together: too many for a table"
                )
            choices = space.slot_choices(every_value(space.cardinalities, genes))[:, slot]
            tables[genes] = tables.get(genes, 0) + np.asarray(values, dtype=np.float64)[choices].reshape(shape)
        return cls(space.cardinalities, tables)

    def __call__(self, population: Population) -> Floats:
        """The sums of genotypes [n, genes], [n]."""
        total = np.zeros(len(population))
        for genes, table in self.tables.items():
            if genes:
                total += table[tuple(population[:, g] for g in genes)]
            else:
                total += table
        return total

    def scaled(self, factor: float) -> Factors:
        """Every value times `factor`."""
        return Factors(self.cardinalities, {genes: factor * table for genes, table in self.tables.items()})

    def plus(self, other: Factors) -> Factors:
        """The sum of two functions of the same genes."""
        tables = dict(self.tables)
        for genes, table in other.tables.items():
            tables[genes] = tables[genes] + table if genes in tables else table
        return Factors(self.cardinalities, tables)


def shape_of(cardinalities: Sequence[int], genes: Genes) -> tuple[int, ...]:
    """How many values each of some genes has."""
    return tuple(cardinalities[g] for g in genes)


def every_value(cardinalities: Sequence[int], genes: Genes) -> Population:
    """Genotypes [states, all genes] with every joint value of some genes, in the order of a table; others are 0."""
    shape = shape_of(cardinalities, genes)
    archs = np.zeros((prod(shape), len(cardinalities)), dtype=np.int64)
    archs[:, genes] = np.indices(shape).reshape(len(shape), prod(shape)).T
    return archs


def joined(count: int, together: Mapping[Genes, object] | Sequence[Genes]) -> tuple[Genes, ...]:
    """The finest partition of genes 0..count-1 that splits none of the tuples `together`."""
    group = {gene: {gene} for gene in range(count)}
    for genes in together:
        union = set().union(*(group[g] for g in genes))
        group |= dict.fromkeys(union, union)
    return tuple(sorted({tuple(sorted(genes)) for genes in group.values()}))
