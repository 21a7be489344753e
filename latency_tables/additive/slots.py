"""Slots: which ops a network has, as a choice per place that follows from a few genes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from latency_tables.additive.factors import Factors, NotSeparable
from latency_tables.additive.joint import connected, every_value, shape_of
from latency_tables.arrays import Floats, Function, Population
from latency_tables.op import Op

Ops = tuple[Op, ...]
"""Ops that one choice adds to a network, in network order; none is fine."""

_LARGEST = 1_000_000
_BITS = 63  # of an integer mask


@dataclass(frozen=True)
class Slot:
    """One place in a network. The values of `genes` decide which ops stand there, and no other gene does.

    `choices` are the ops at every joint value of `genes`, the last gene changing first; a place without a choice has
    no genes and one entry. In a graph where any gene may decide, `genes` is None, `choices` are all that may stand
    there, and the space says which by a `slot_options` of its own.
    """

    genes: tuple[int, ...] | None
    choices: tuple[Ops, ...]

    @classmethod
    def fixed(cls, *ops: Op) -> Slot:
        """The same ops in every network."""
        return cls((), (ops,))

    @cached_property
    def options(self) -> tuple[Ops, ...]:
        """The different choices, in order of first appearance."""
        return self.choices if self.genes is None else tuple(dict.fromkeys(self.choices))

    @cached_property
    def option_of(self) -> NDArray[np.int64]:
        """Which of `options` each joint value of the genes makes, [joint values]."""
        place = {ops: i for i, ops in enumerate(self.options)}
        return np.array([place[ops] for ops in self.choices], dtype=np.int64)


class Slots:
    """All slots of one space: from genotypes to options, and from numbers per option to sums over networks.

    `chosen` gives the options of genotypes where slots have no genes of their own. Raises ValueError where a slot has
    not one choice per joint value of its genes.
    """

    def __init__(
        self,
        cardinalities: Sequence[int],
        slots: Sequence[Slot],
        chosen: Callable[[Population], Population] | None = None,
    ):
        self.cardinalities, self.slots = tuple(cardinalities), tuple(slots)
        self._free = next((i for i, slot in enumerate(self.slots) if slot.genes is None), None)
        self._chosen = chosen
        for i, slot in enumerate(self.slots):
            if slot.genes is None:
                continue
            if len(slot.choices) != (wanted := prod(shape_of(self.cardinalities, slot.genes))):
                raise ValueError(
                    f"slot {i} follows genes {slot.genes} and needs {wanted} choices, not {len(slot.choices)}"
                )

    def options(self, population: Population) -> Population:
        """Which option every slot takes, [n, slots], of genotypes [n, genes]."""
        if self._free is not None:
            assert self._chosen is not None
            return self._chosen(population)
        columns = np.zeros((len(population), len(self.slots)), dtype=np.int64)
        for genes, places in self._places.items():
            joint = self.joint_value(population, genes)
            for i in places:
                columns[:, i] = self.slots[i].option_of[joint]
        return columns

    def joint_value(self, population: Population, genes: Sequence[int]) -> NDArray[np.int64]:
        """The number of the joint value that some genes have, the last gene changing first, [n]."""
        number = np.zeros(len(population), dtype=np.int64)
        for gene in genes:
            number = number * self.cardinalities[gene] + population[:, gene]
        return number

    @cached_property
    def _places(self) -> Mapping[tuple[int, ...], list[int]]:
        """The slots that follow the same genes."""
        places: dict[tuple[int, ...], list[int]] = {}
        for i, slot in enumerate(self.slots):
            places.setdefault(slot.genes or (), []).append(i)
        return places

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The first column of each slot in a one-hot matrix, and one past the last."""
        return np.concatenate([[0], np.cumsum([len(slot.options) for slot in self.slots])])

    def one_hot(self, population: Population) -> Floats:
        """The options of every slot, [n, options of all slots], of genotypes [n, genes]."""
        columns = self.options(population) + self._starts[:-1]
        features = np.zeros((len(population), self._starts[-1]))
        features[np.arange(len(population))[:, None], columns] = 1
        return features

    def linear(self, coefficients: Floats) -> Factors:
        """The function `one_hot(population) @ coefficients`, of coefficients [options of all slots]."""
        return self.factors(np.split(coefficients, self._starts[1:-1]))

    def factors(self, per_option: Sequence[Floats]) -> Factors:
        """The sum of what every slot's option adds, [options] per slot, as tables over genes.

        Raises `NotSeparable` where a slot follows any gene, or so many that its table would not fit.
        """
        if len(per_option) != len(self.slots):
            raise ValueError(f"there are {len(self.slots)} slots, got numbers for {len(per_option)}")
        if self._free is not None:
            raise NotSeparable(f"slot {self._free} follows all {len(self.cardinalities)} genes together: no table fits")
        tables = {}
        for genes, places in self._places.items():
            shape = shape_of(self.cardinalities, genes)
            if prod(shape) > _LARGEST:
                raise NotSeparable(f"slot {places[0]} follows {len(genes)} genes together: too many for a table")
            parts = [per_option[i][self.slots[i].option_of] for i in places]
            tables[genes] = np.sum(parts, axis=0).reshape(shape)
        return Factors(self.cardinalities, tables)

    def sum_of(self, per_option: Sequence[Floats]) -> Function:
        """As `factors` where there are such tables, else a function that adds up one slot after the other."""
        try:
            return self.factors(per_option)
        except NotSeparable:
            return lambda population: self.gathered(per_option, population)

    def gathered(self, per_option: Sequence[NDArray[np.float64]], population: Population) -> Floats:
        """The sum over slots of rows per option ([options] or [options, columns] each), [n] or [n, columns]."""
        total = np.zeros((len(population), *per_option[0].shape[1:]))
        for rows, option in zip(per_option, self.options(population).T, strict=True):
            total += rows[option]
        return total

    def per_option(self, of_op: Mapping[Op, float]) -> list[Floats]:
        """What the ops of every option add up to, [options] per slot."""
        return [np.array([sum(of_op[op] for op in ops) for ops in s.options], dtype=np.float64) for s in self.slots]

    def lowest_equals(self, population: Population) -> Population:
        """Genotypes [n, genes] with each gene at its lowest value that leaves every slot's ops as they are."""
        clean = population.astype(np.int64, copy=True)
        while True:
            before = clean.copy()
            for gene, same in self._equal_values.items():
                mask = np.full(len(clean), -1, dtype=np.int64)
                for genes, table in same:
                    mask &= table[self.joint_value(clean, genes)]
                clean[:, gene] = np.frexp(mask & -mask)[1] - 1  # the place of the lowest bit
            if len(self._equal_values) < 2 or np.array_equal(before, clean):
                return clean

    @cached_property
    def idle(self) -> frozenset[int]:
        """Genes with a value that in some network means the same as a lower one."""
        return frozenset(self._equal_values)

    @cached_property
    def _equal_values(self) -> Mapping[int, list[tuple[tuple[int, ...], NDArray[np.int64]]]]:
        """For each gene that may be idle, the genes of every slot that follows it and a table over those.

        Bit v of an entry says that value v of the gene would leave the slot's ops as they are.
        """
        found = {}
        followed: dict[int, list[tuple[int, ...]]] = {}
        for genes in self._places:
            for gene in genes:
                followed.setdefault(gene, []).append(genes)
        for gene, count in enumerate(self.cardinalities):
            if count > _BITS or self._free is not None:
                continue
            tables = [(genes, self._same_ops(genes, gene)) for genes in followed.get(gene, ())]
            # A slot whose ops differ between all values of the gene pins it down by itself.
            if not any((table & (table - 1) == 0).all() for _, table in tables) and count > 1:
                found[gene] = tables
        return found

    def _same_ops(self, genes: tuple[int, ...], gene: int) -> NDArray[np.int64]:
        axis, shape = genes.index(gene), shape_of(self.cardinalities, genes)
        kinds = np.stack([self.slots[i].option_of for i in self._places[genes]])
        kinds = np.moveaxis(kinds.reshape(-1, *shape), 1 + axis, -1)  # [slots, other genes ..., values]
        equal = (kinds[..., :, None] == kinds[..., None, :]).all(axis=0)  # [other genes ..., value, value]
        bits: NDArray[np.int64] = (equal * (np.int64(1) << np.arange(shape[axis]))).sum(axis=-1)
        by_gene: NDArray[np.int64] = np.moveaxis(bits, -1, axis).ravel()
        return by_gene

    def count(self) -> int:
        """How many different genotypes `lowest_equals` leaves. Raises `NotSeparable` where they cannot be counted."""
        return self._count(range(len(self.cardinalities)), {})

    def _count(self, genes: Iterable[int], given: Mapping[int, int]) -> int:
        """Those with some genes given, of the values of the others."""
        total = 1
        for group in connected(genes, self._places):
            if self.idle.isdisjoint(group):
                total *= prod(self.cardinalities[g] for g in group)
            elif prod(self.cardinalities[g] for g in group) <= _LARGEST:
                archs = every_value(self.cardinalities, group)
                archs[:, list(given)] = list(given.values())
                total *= int((self.lowest_equals(archs) == archs).all(axis=1).sum())
            else:
                total *= self._count_by_value(group, given)
        return total

    def _count_by_value(self, group: Sequence[int], given: Mapping[int, int]) -> int:
        shared = [g for g in group if g not in self.idle]
        if not shared:
            raise NotSeparable(f"the networks of {len(group)} genes that depend on each other cannot be counted")
        gene = max(shared, key=lambda g: sum(g in genes for genes in self._places))
        return sum(
            self._count([g for g in group if g != gene], {**given, gene: v}) for v in range(self.cardinalities[gene])
        )
