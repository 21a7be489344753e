"""Functions of a network that are sums of tables over a few genes each: summed fast, and searched exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.space import SearchSpace
from latency_tables import HwnasError
from latency_tables.additive.gather import Genes, LookUps, of_joint
from latency_tables.additive.joint import every_value, shape_of
from latency_tables.arrays import Floats, Population
from latency_tables.model.model import slot_sums

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
        return SlotFactors(space)(per_slot)

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

    def of_joint(self, genes: Genes) -> Floats:
        """What the tables of no other gene than some ascending `genes` add at every joint value of those, [states].

        The last gene changes first; the constant is left out.
        """
        return of_joint(self.cardinalities, {mine: table for mine, table in self.tables.items() if mine}, genes)

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


class SlotFactors:
    """`Factors` of what every choice of every slot adds, for one space and any numbers."""

    def __init__(self, space: SearchSpace):
        self.space = space

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The first column of each slot, and one past the last."""
        return np.concatenate([[0], np.cumsum([len(slot) for slot in self.space.slots])])

    def one_hot(self, population: Population) -> Floats:
        """The choices of every slot, [n, choices of all slots], of genotypes [n, genes]."""
        columns = self.space.slot_choices(population) + self._starts[:-1]
        features = np.zeros((len(population), self._starts[-1]))
        features[np.arange(len(population))[:, None], columns] = 1
        return features

    def linear(self, coefficients: Floats) -> Factors:
        """The function `one_hot(population) @ coefficients`, of coefficients [choices of all slots]."""
        return self(np.split(coefficients, self._starts[1:-1]))

    @cached_property
    def _slots(self) -> dict[Genes, tuple[list[int], Population]]:
        """For each group of genes, the slots that follow it and their choices at its joint values, [states, slots]."""
        space, slots_of = self.space, dict[Genes, list[int]]()
        for slot, genes in enumerate(space.slot_genes):
            slots_of.setdefault(genes, []).append(slot)
        choices = {}
        for genes, slots in slots_of.items():
            if prod(shape_of(space.cardinalities, genes)) > _LARGEST:
                raise NotSeparable(
                    f"slot {slots[0]} of {space.name} follows {len(genes)} genes together: too many for a table"
                )
            choices[genes] = slots, space.slot_choices(every_value(space.cardinalities, genes))[:, slots]
        return choices

    def __call__(self, per_slot: Sequence[Floats]) -> Factors:
        """From what each choice adds, [choices] a slot; slots that follow the same genes share a table.

        Raises `NotSeparable` where a slot follows so many genes that its table would not fit.
        """
        if len(per_slot) != len(self.space.slot_genes):
            raise ValueError(f"{self.space.name} has {len(self.space.slot_genes)} slots, got {len(per_slot)}")
        cardinalities = self.space.cardinalities
        tables = {
            genes: slot_sums([per_slot[s] for s in slots], choices).reshape(shape_of(cardinalities, genes))
            for genes, (slots, choices) in self._slots.items()
        }
        return Factors(cardinalities, tables)


def joined(count: int, together: Mapping[Genes, object] | Sequence[Genes]) -> tuple[Genes, ...]:
    """The finest partition of genes 0..count-1 that splits none of the tuples `together`."""
    group = {gene: {gene} for gene in range(count)}
    for genes in together:
        union = set().union(*(group[g] for g in genes))
        group |= dict.fromkeys(union, union)
    return tuple(sorted({tuple(sorted(genes)) for genes in group.values()}))
