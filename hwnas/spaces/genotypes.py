"""Genotypes: the networks of a space as integer vectors, and what follows from its slots. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import prod

import numpy as np
from numpy.typing import NDArray

from latency_tables import HwnasError, Op
from latency_tables.additive import Slot as Slot
from latency_tables.additive import Slots
from latency_tables.additive.joint import every_value
from latency_tables.arrays import Function
from latency_tables.arrays import Genotype as Genotype
from latency_tables.arrays import Population as Population

LISTABLE = 100_000
"""Networks that a strategy keeps an eye on one by one."""

PRICEABLE = 1_000_000
"""Networks that are priced all at once where nothing quicker is exact."""


class ArchError(HwnasError):
    """An architecture text or genotype that is not of the space."""


class Genotypes(ABC):
    """A set of networks, each an integer genotype, and the ops that its `slots` make of one."""

    name: str
    prunings: tuple[str, ...] = ()  # names of the ways in which a runtime may drop ops of a network, e.g. dead branches

    @property
    @abstractmethod
    def cardinalities(self) -> tuple[int, ...]:
        """How many values each gene can take."""

    @property
    @abstractmethod
    def slots(self) -> tuple[Slot, ...]:
        """The places of a network in network order, with the ops that may stand there."""

    def pruned_slots(self, pruning: str) -> tuple[Slot, ...]:
        """As `slots`, without the ops that a runtime of this `pruning` drops."""
        return self.slots

    def slot_options(self, population: Population) -> Population:
        """Which of its `options` every slot takes, [n, slots], of genotypes [n, genes].

        A space whose slots have no genes of their own must say it itself.
        """
        return self.layout.options(population)

    def canonical(self, population: Population) -> Population:
        """Genotypes [n, genes], genes without effect at their lowest value: equal networks, equal genotypes."""
        return self.layout.lowest_equals(population)

    def functions(self, population: Population) -> Population:
        """Rows [n, any] that are equal where genotypes [n, genes] compute the same: by default canonical genotypes.

        A space whose networks may have ops that their output does not depend on says more.
        """
        return self.canonical(population)

    def computes(self, population: Population) -> NDArray[np.bool_]:
        """Which genotypes [n, genes] are networks whose output depends on the image, [n]: by default all."""
        return np.ones(len(population), dtype=bool)

    @cached_property
    def size(self) -> int:
        """How many different networks there are. Raises `NotSeparable` where a space must count them itself."""
        return self.layout.count()

    @cached_property
    def gene_names(self) -> tuple[str, ...]:
        """What people call each gene."""
        return tuple(f"gene{i}" for i in range(len(self.cardinalities)))

    @property
    def gene_values(self) -> tuple[tuple[str, ...], ...]:
        """What people call the values of each gene."""
        return tuple(tuple(map(str, range(count))) for count in self.cardinalities)

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """Neighbouring genes that belong together, in network order, each gene once: by default all are one stage."""
        return (tuple(range(len(self.cardinalities))),)

    # What follows from the above.

    @cached_property
    def layout(self) -> Slots:
        """The slots as look-ups for whole populations."""
        return Slots(self.cardinalities, self.slots, self.slot_options)

    @cached_property
    def all_ops(self) -> tuple[Op, ...]:
        """Every op any network of the space can use, each once."""
        return tuple(dict.fromkeys(op for slot in self.slots for ops in slot.options for op in ops))

    def ops(self, arch: Genotype) -> tuple[Op, ...]:
        """The ops one network is made of, in network order."""
        options = self.slot_options(arch[None])[0]
        return tuple(chain.from_iterable(slot.options[i] for slot, i in zip(self.slots, options, strict=True)))

    def additive(self, of_op: Mapping[Op, float]) -> Function:
        """What the ops of a network cost together, as a function of genotypes: `Factors` unless any gene may decide."""
        return self.layout.sum_of(self.layout.per_option(of_op))

    def check(self, arch: Genotype) -> Genotype:
        """The canonical form of one genotype; raises `ArchError` when it is not of this space."""
        arch = np.asarray(arch)
        if arch.shape != (len(self.cardinalities),) or arch.dtype.kind not in "iu":
            raise ArchError(
                f"a genotype of {self.name} is {len(self.cardinalities)} integers, got {arch.tolist()!r:.80}"
            )
        if (arch < 0).any() or (arch >= self.cardinalities).any():
            gene = int(np.flatnonzero((arch < 0) | (arch >= np.array(self.cardinalities)))[0])
            raise ArchError(
                f"gene {gene} of a {self.name} genotype must be in 0..{self.cardinalities[gene] - 1}, got {arch[gene]}"
            )
        clean: Genotype = self.canonical(arch[None].astype(np.int64))[0]
        return clean

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """`n` random genotypes, genes uniform, canonical, [n, genes]."""
        return self.canonical(rng.integers(0, self.cardinalities, (n, len(self.cardinalities))))

    def mutate(self, population: Population, rng: np.random.Generator, rate: float | None = None) -> Population:
        """Each gene drawn anew with probability `rate` (default: one gene on average), at least one per genotype.

        Genes of one value do not count.
        """
        n, genes = population.shape
        free = np.flatnonzero(np.array(self.cardinalities) > 1)
        if not len(free):
            return population.copy()
        change = rng.random((n, genes)) < (1 / len(free) if rate is None else rate)
        change[np.arange(n), free[rng.integers(0, len(free), n)]] = True
        return self.canonical(np.where(change, rng.integers(0, self.cardinalities, (n, genes)), population))

    def with_each_value(self, population: Population, gene: int) -> Population:
        """Genotypes [n, genes] with every value of one gene in turn, canonical, [n, values, genes]."""
        values = self.cardinalities[gene]
        networks = np.repeat(population[:, None], values, axis=1)
        networks[:, :, gene] = np.arange(values)
        clean: Population = self.canonical(networks.reshape(-1, population.shape[1])).reshape(networks.shape)
        return clean

    def neighbours(self, arch: Genotype) -> Population:
        """Every other network that differs in one gene, each once, [m, genes]."""
        blocks = [self.with_each_value(arch[None], gene)[0] for gene in range(len(self.cardinalities))]
        distinct = np.unique(np.concatenate(blocks), axis=0)
        others: Population = distinct[(distinct != self.canonical(arch[None])).any(axis=1)]
        return others

    def to_text(self, arch: Genotype) -> str:
        """Readable text of a genotype; `from_text` is its inverse."""
        return f"{self.name}:{'-'.join(map(str, self.check(arch)))}"

    def from_text(self, text: str) -> Genotype:
        """The genotype of a text; raises `ArchError` that says what does not parse."""
        body = self._text_body(text)
        try:
            genes = np.array([int(g) for g in body.split("-")])
        except ValueError:
            raise ArchError(f"cannot parse {text!r}: after '{self.name}:' come integers joined by '-'") from None
        return self.check(genes)

    def _text_body(self, text: str) -> str:
        name, colon, body = text.strip().partition(":")
        if not colon or name != self.name:
            raise ArchError(f"cannot parse {text!r:.120}: an architecture of this space starts with '{self.name}:'")
        return body


def every_network(space: Genotypes, at_most: int = LISTABLE) -> Population | None:
    """Every canonical genotype once, [size, genes], in order; None where there are more than `at_most` genotypes."""
    if prod(space.cardinalities) > at_most:
        return None
    genotypes = every_value(space.cardinalities, range(len(space.cardinalities)))
    distinct: Population = np.unique(space.canonical(genotypes), axis=0)
    return distinct


def unique_genotypes(population: Population, exclude: Population | Sequence[Genotype] | None = None) -> Population:
    """Distinct rows in order of first appearance, without those in `exclude`."""
    others = set() if exclude is None else set(keys_of(exclude))
    return population[[i for key, i in first_rows(population).items() if key not in others]]


def first_rows(rows: Population) -> dict[bytes, int]:
    """Where each distinct row of [n, any] stands first, by its key, in order of appearance."""
    first = dict[bytes, int]()
    for i, key in enumerate(keys_of(rows)):
        first.setdefault(key, i)
    return first


def keys_of(population: Population | Sequence[Genotype]) -> list[bytes]:
    """What tells genotypes [n, genes] apart in sets and dictionaries, [n]."""
    return [row.tobytes() for row in np.ascontiguousarray(population, dtype=np.int64)]
