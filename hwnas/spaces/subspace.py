"""Part of a space: only some values of some genes. Shrinking, splits, rounds, and what a user allows are all this."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.genotypes import ArchError
from hwnas.spaces.space import SearchSpace, View
from latency_tables import HwnasError, Op
from latency_tables.additive import Slot
from latency_tables.additive.joint import shape_of
from latency_tables.arrays import Floats, Genotype, Population

if TYPE_CHECKING:
    from torch import nn


class Subspace(SearchSpace):
    """The networks of `whole` whose genes have only `allowed` values; itself a search space, genes numbered anew.

    `allowed[gene]` are ascending values; genes that are not named keep all. Architecture texts are those of the whole
    space. Raises `HwnasError` for a value that is not there, and for a gene without any.
    """

    def __init__(self, whole: SearchSpace, allowed: Mapping[int, Sequence[int]]):
        self.whole, self.name, self.is_chain = whole, whole.name, whole.is_chain
        self.input_shape, self.num_classes = whole.input_shape, whole.num_classes
        self.prunings, self.gene_names = whole.prunings, whole.gene_names
        self.allowed = tuple(
            tuple(sorted({int(v) for v in allowed.get(gene, range(count))}))
            for gene, count in enumerate(whole.cardinalities)
        )
        for gene, values in enumerate(self.allowed):
            if not values or values[0] < 0 or values[-1] >= whole.cardinalities[gene]:
                count, name = whole.cardinalities[gene], whole.gene_names[gene]
                raise HwnasError(f"{name} of {whole.name} needs values in 0..{count - 1}, got {list(values)}")

    @classmethod
    def of_texts(cls, whole: SearchSpace, texts: Iterable[str]) -> Subspace:
        """From texts `GENE=VALUE,VALUE...` with names of genes (`*` matches any) and values as the space calls them.

        Raises `HwnasError` naming what is not there.
        """
        allowed: dict[int, Sequence[int]] = {}
        for text in texts:
            pattern, equals, values = text.partition("=")
            wanted = [v.strip() for v in values.split(",") if v.strip()]
            genes = [i for i, name in enumerate(whole.gene_names) if fnmatchcase(name, pattern.strip())]
            if not equals or not wanted:
                raise HwnasError(f"{text!r}: write GENE=VALUE or GENE=VALUE,VALUE")
            if not genes:
                raise HwnasError(f"{whole.name} has no gene {pattern!r}; it has {', '.join(whole.gene_names)}")
            for gene in genes:
                known = whole.gene_values[gene]
                if foreign := [v for v in wanted if v not in known]:
                    raise HwnasError(f"{whole.gene_names[gene]} cannot be {foreign[0]!r}; it can be {', '.join(known)}")
                allowed[gene] = [
                    known.index(v) for v in wanted if gene not in allowed or known.index(v) in allowed[gene]
                ]
        return cls(whole, allowed)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """How many values of each gene are allowed."""
        return tuple(map(len, self.allowed))

    def canonical(self, population: Population) -> Population:
        """As the whole space has it, where the slots do not say it."""
        if any(slot.genes is None for slot in self.slots):
            return self._nearest(self.to_whole(population))
        return super().canonical(population)

    def functions(self, population: Population) -> Population:
        """As the whole space has it."""
        return self.whole.functions(self.to_whole(population))

    def computes(self, population: Population) -> NDArray[np.bool_]:
        """As the whole space has it."""
        return self.whole.computes(self.to_whole(population))

    def to_whole(self, population: Population) -> Population:
        """Genotypes [n, genes] of this space as those of the whole one, canonical there."""
        columns = [np.array(values)[column] for values, column in zip(self.allowed, population.T, strict=True)]
        return self.whole.canonical(np.stack(columns, axis=1))

    def contains(self, population: Population) -> np.ndarray:
        """Which genotypes [n, genes] of the whole space are networks of this one, [n]."""
        there: np.ndarray = (self.to_whole(self._nearest(population)) == self.whole.canonical(population)).all(axis=1)
        return there

    def from_whole(self, population: Population) -> Population:
        """The inverse of `to_whole`; raises `ArchError` naming a network that is not of this space."""
        if len(outside := np.flatnonzero(~self.contains(population))):
            text = self.whole.to_text(population[outside[0]])
            raise ArchError(f"{text} has genes with values that this part of {self.name} does not allow")
        return self.canonical(self._nearest(population))

    def _nearest(self, population: Population) -> Population:
        """Values of genes as numbered here, 0 where they are not allowed: those of idle genes may be any."""
        genes = np.zeros_like(population)
        for gene, values in enumerate(self.allowed):
            place = np.zeros(self.whole.cardinalities[gene], dtype=np.int64)
            place[list(values)] = np.arange(len(values))
            genes[:, gene] = place[population[:, gene]]
        return genes

    def _restricted(self, slots: Sequence[Slot]) -> tuple[Slot, ...]:
        found = []
        for slot in slots:
            if slot.genes:
                numbers = np.arange(len(slot.choices)).reshape(shape_of(self.whole.cardinalities, slot.genes))
                kept = numbers[np.ix_(*(self.allowed[g] for g in slot.genes))].ravel()
                slot = replace(slot, choices=tuple(slot.choices[i] for i in kept))
            found.append(slot)
        return tuple(found)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The whole space's, with the choices that are left."""
        return self._restricted(self.whole.slots)

    def pruned_slots(self, pruning: str) -> tuple[Slot, ...]:
        """The whole space's, with the choices that are left."""
        return self._restricted(self.whole.pruned_slots(pruning))

    def slot_options(self, population: Population) -> Population:
        """By the whole space where slots have no genes of their own."""
        if any(slot.genes is None for slot in self.slots):
            return self.whole.slot_options(self.to_whole(population))
        return super().slot_options(population)

    @property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """The whole space's."""
        return self.whole.places

    @property
    def late_genes(self) -> Collection[int]:
        """The whole space's."""
        return self.whole.late_genes

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """The whole space's."""
        return self.whole.stages

    @property
    def gene_values(self) -> tuple[tuple[str, ...], ...]:
        """Those that are allowed."""
        named = zip(self.allowed, self.whole.gene_values, strict=True)
        return tuple(tuple(known[v] for v in values) for values, known in named)

    def build_op(self, op: Op) -> nn.Module:
        """As the whole space does."""
        return self.whole.build_op(op)

    def build(self, arch: Genotype) -> nn.Module:
        """As the whole space does."""
        return self.whole.build(self.to_whole(arch[None])[0])

    def weight_source(self, op: Op) -> Op:
        """As in the whole space, so that supernets of parts share shapes."""
        return self.whole.weight_source(op)

    def encode(self, population: Population) -> Floats:
        """As the whole space does."""
        return self.whole.encode(self.to_whole(population))

    @property
    def views(self) -> tuple[View, ...]:
        """The whole space's."""
        return tuple(
            replace(view, encode=lambda archs, encode=view.encode: encode(self.to_whole(archs)))  # type: ignore[misc]
            for view in self.whole.views
        )

    def graphs(self, population: Population) -> tuple[Floats, Floats]:
        """As the whole space does."""
        return self.whole.graphs(self.to_whole(population))

    def to_text(self, arch: Genotype) -> str:
        """The whole space's text."""
        return self.whole.to_text(self.to_whole(self.check(arch)[None])[0])

    def from_text(self, text: str) -> Genotype:
        """Inverse of `to_text`; raises `ArchError` also for a network of the whole space that is not of this part."""
        arch: Genotype = self.from_whole(self.whole.from_text(text)[None])[0]
        return arch


def texts_without(space: SearchSpace, ops: Collection[Op]) -> list[str]:
    """Texts for `Subspace.of_texts` that leave every network with one of `ops` out; [] where genes cannot say it.

    Of the genes that decide on an op together, the one loses values that keeps the larger share of them.
    """
    allowed = {gene: np.ones(count, dtype=bool) for gene, count in enumerate(space.cardinalities)}
    for slot in space.slots:
        fine = np.array([not any(op in ops for op in choice) for choice in slot.choices])
        if fine.all():
            continue
        if not slot.genes:
            return []
        fine = fine.reshape(shape_of(space.cardinalities, slot.genes))
        axes = range(len(slot.genes))
        kept = [fine.all(axis=tuple(other for other in axes if other != axis)) for axis in axes]
        best = max(axes, key=lambda axis: float(kept[axis].mean()))
        allowed[slot.genes[best]] &= kept[best]
    if not all(values.any() for values in allowed.values()):
        return []
    return [
        f"{space.gene_names[gene]}={','.join(space.gene_values[gene][value] for value in np.flatnonzero(values))}"
        for gene, values in allowed.items()
        if not values.all()
    ]
