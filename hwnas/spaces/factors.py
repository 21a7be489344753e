"""Functions of a network that are sums of tables over a few genes each: summed fast, and searched exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces._base import SearchSpace
from hwnas.spaces.every import every_value, shape_of
from latency_tables import HwnasError
from latency_tables.model import slot_sums

Floats = NDArray[np.float64]
Genes = tuple[int, ...]

_LARGEST = 1_000_000
_CHUNK = 32768  # networks at a time
_PACKED = 20_000  # values of a table that is gathered from: they stay in the cache


class NotSeparable(HwnasError):
    """A function in which too many genes depend on each other for tables or for exact search."""


@dataclass(frozen=True)
class _Gather:
    """One look-up: `values` [states] at the joint value of some genes, the last of them the fastest."""

    genes: Genes
    values: Floats


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
        slots_of: dict[Genes, list[int]] = {}
        for slot, (genes, _) in enumerate(zip(space.slot_genes, per_slot, strict=True)):
            slots_of.setdefault(genes, []).append(slot)
        tables: dict[Genes, Floats] = {}
        for genes, slots in slots_of.items():
            shape = shape_of(space.cardinalities, genes)
            if prod(shape) > _LARGEST:
                raise NotSeparable(
                    f"slot {slots[0]} of {space.name} follows {len(genes)} genes together: too many for a table"
                )
            choices = space.slot_choices(every_value(space.cardinalities, genes))
            tables[genes] = slot_sums([per_slot[s] for s in slots], choices[:, slots]).reshape(shape)
        return cls(space.cardinalities, tables)

    def __call__(self, population: NDArray[np.integer]) -> Floats:
        """The sums of genotypes [n, genes], [n]; fastest where they lie gene after gene in bytes (Fortran order)."""
        total = np.empty(len(population))
        narrow = np.min_scalar_type(max(self.cardinalities))
        for start in range(0, len(total), _CHUNK):
            rows = population[start : start + _CHUNK]
            if not population.flags.f_contiguous:
                rows = np.asfortranarray(rows.astype(narrow))
            self._sums(rows.T, total[start : start + _CHUNK])
        return total

    @property
    def constant(self) -> float:
        """What every network has: the table of no gene."""
        return float(self.tables.get((), 0.0))

    @property
    def look_ups(self) -> int:
        """How many values are looked up for one network."""
        return len(self._gathers)

    def _sums(self, by_gene: NDArray[np.integer], total: Floats) -> None:
        """Of values [genes, n], few enough to stay in the cache, into `total` [n]."""
        total[:] = self.constant
        index, looked_up = np.empty(len(total), dtype=np.intp), np.empty_like(total)
        for gather in self._gathers:
            index[:] = self._joint(by_gene, gather.genes)
            total += np.take(gather.values, index, out=looked_up, mode="clip")

    def _joint(self, by_gene: NDArray[np.integer], genes: Genes) -> NDArray[np.integer]:
        """Which joint value some genes have, [n], in the narrowest integers: those are counted many at a time."""
        if len(genes) == 1:
            own: NDArray[np.integer] = by_gene[genes[0]]
            return own
        half = len(genes) // 2
        first, second = (self._joint(by_gene, part) for part in (genes[:half], genes[half:]))
        times = prod(shape_of(self.cardinalities, genes[half:]))
        narrow = np.min_scalar_type(times * prod(shape_of(self.cardinalities, genes[:half])))
        joint: NDArray[np.integer] = first.astype(narrow)
        joint *= narrow.type(times)
        joint += second.astype(narrow, copy=False)
        return joint

    @cached_property
    def _gathers(self) -> tuple[_Gather, ...]:
        """The tables, packed into as few as stay in the cache: a look-up costs the same in a small one."""
        packed: list[tuple[Genes, list[Genes]]] = []
        for genes in sorted(filter(None, self.tables), key=lambda g: (min(g), g)):
            union = tuple(sorted({*packed[-1][0], *genes})) if packed else ()
            if packed and prod(shape_of(self.cardinalities, union)) <= _PACKED:
                packed[-1] = union, [*packed[-1][1], genes]
            else:
                packed.append((tuple(sorted(genes)), [genes]))
        return tuple(self._packed(union, parts) for union, parts in packed)

    def _packed(self, union: Genes, parts: Sequence[Genes]) -> _Gather:
        states = every_value(self.cardinalities, union)
        return _Gather(union, np.sum([self.tables[p][tuple(states[:, g] for g in p)] for p in parts], axis=0))

    def limited(self, cardinalities: Sequence[int]) -> Factors:
        """The same function of fewer networks: those with the first so many values of each gene."""
        cut = {genes: table[tuple(slice(cardinalities[g]) for g in genes)] for genes, table in self.tables.items()}
        return Factors(cardinalities, cut)

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


def joined(count: int, together: Mapping[Genes, object] | Sequence[Genes]) -> tuple[Genes, ...]:
    """The finest partition of genes 0..count-1 that splits none of the tuples `together`."""
    group = {gene: {gene} for gene in range(count)}
    for genes in together:
        union = set().union(*(group[g] for g in genes))
        group |= dict.fromkeys(union, union)
    return tuple(sorted({tuple(sorted(genes)) for genes in group.values()}))
