"""The search space: integer genotypes, the ops a network is made of, and the torch module itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from math import prod

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hwnas.spaces.view import View
from latency_tables import HwnasError, Op
from latency_tables.arrays import Genotype, Population

Slots = tuple[tuple[tuple[Op, ...], ...], ...]


class ArchError(HwnasError):
    """An architecture text or genotype that is not of the space."""


class SearchSpace(ABC):
    """A set of networks, each an integer genotype.

    A network is a chain of slots; each slot makes a choice, each choice adds ops (none is fine). Additive costs,
    the look-up tables and the supernet all follow from `slots` and `slot_choices`; `build` puts the ops in a row.
    A space of your own sets `name`, `input_shape` and `num_classes` and defines `cardinalities`, `slots` and
    `build_op`; where genes are not slots also `slot_choices` (and `slot_genes`, for speed and exact search), and where
    some genes can be idle also `canonical`.
    """

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    is_chain: bool = True  # whether a network's ops run one after another, as a supernet takes them

    @property
    @abstractmethod
    def cardinalities(self) -> tuple[int, ...]:
        """How many values each gene can take."""

    @property
    @abstractmethod
    def slots(self) -> Slots:
        """`slots[s][c]`: the ops that choice c of slot s adds, in network order."""

    @abstractmethod
    def build_op(self, op: Op) -> nn.Module:
        """The torch module of one op, mapping [batch, *op.in_shape] to the next op's input."""

    def slot_choices(self, population: Population) -> Population:
        """The choice of every slot, [n, slots], of genotypes [n, genes]. By default a gene is a slot."""
        return population

    @property
    def slot_genes(self) -> tuple[tuple[int, ...], ...]:
        """The genes that each slot's choice follows, and no others: the fewer, the more can be searched exactly.

        By default a gene is a slot; in a space with `slot_choices` of its own any choice may follow all genes.
        """
        if type(self).slot_choices is SearchSpace.slot_choices:
            return tuple((slot,) for slot in range(len(self.slots)))
        everything = tuple(range(len(self.cardinalities)))
        return tuple(everything if len(slot) > 1 else () for slot in self.slots)

    def canonical(self, population: Population) -> Population:
        """Genotypes [n, genes] with genes that have no effect set to 0: equal networks, equal genotypes."""
        return population

    def weight_source(self, op: Op) -> Op:
        """Whose weights this op borrows in a supernet: leading channels, centre of kernels. Its own by default."""
        return op

    @property
    def prunings(self) -> tuple[str, ...]:
        """Names of the ways in which a runtime may drop ops of a network, e.g. dead branches. A chain has none."""
        return ()

    def pruned_choices(self, population: Population, pruning: str) -> Population:
        """As `slot_choices`, [n, slots], with a choice that adds no op where a runtime of this `pruning` drops it."""
        return self.slot_choices(population)

    @property
    def size(self) -> int:
        """How many different networks there are."""
        return prod(self.cardinalities)

    # What follows from the above.

    @cached_property
    def all_ops(self) -> tuple[Op, ...]:
        """Every op any network of the space can use, each once."""
        return tuple(dict.fromkeys(op for slot in self.slots for choice in slot for op in choice))

    def ops(self, arch: Genotype) -> tuple[Op, ...]:
        """The ops one network is made of, in network order."""
        choices = self.slot_choices(arch[None])[0]
        return tuple(chain.from_iterable(slot[c] for slot, c in zip(self.slots, choices, strict=True)))

    def build(self, arch: Genotype) -> nn.Module:
        """The torch module of one network, mapping [batch, *input_shape] to [batch, num_classes]."""
        return nn.Sequential(*map(self.build_op, self.ops(arch)))

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
        """Each gene drawn anew with probability `rate` (one gene on average by default), at least one a genotype."""
        n, genes = population.shape
        change = rng.random((n, genes)) < (1 / genes if rate is None else rate)
        change[np.arange(n), rng.integers(0, genes, n)] = True
        return self.canonical(np.where(change, rng.integers(0, self.cardinalities, (n, genes)), population))

    def neighbours(self, arch: Genotype) -> Population:
        """Every other network that differs in one gene, each once, [m, genes]."""
        rows = []
        for gene, values in enumerate(self.cardinalities):
            block = np.repeat(arch[None], values, axis=0)
            block[:, gene] = np.arange(values)
            rows.append(block)
        distinct = np.unique(self.canonical(np.concatenate(rows)), axis=0)
        others: Population = distinct[(distinct != self.canonical(arch[None])).any(axis=1)]
        return others

    def encode(self, population: Population) -> NDArray[np.float64]:
        """Features for predictors, [n, features]: one-hot slot choices by default."""
        choices = self.slot_choices(population)
        columns = [np.eye(len(slot))[choices[:, s]] for s, slot in enumerate(self.slots) if len(slot) > 1]
        return np.concatenate(columns, axis=1)

    @property
    def views(self) -> tuple[View, ...]:
        """Ways to see networks that a predictor may weigh apart: `encode` alone by default."""
        return (View("choices", self.encode),)

    def graphs(self, population: Population) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Networks as graphs of k nodes: edges [n, k, k] from row to column, and the nodes' ops one-hot [n, k, ops].

        By default a chain of the slots that have a choice.
        """
        choices = self.slot_choices(population)
        open_slots = [s for s, slot in enumerate(self.slots) if len(slot) > 1]
        nodes = np.eye(max(len(self.slots[s]) for s in open_slots))[choices[:, open_slots]]
        chain_edges = np.eye(len(open_slots), k=1)
        return np.broadcast_to(chain_edges, (len(population), *chain_edges.shape)), nodes

    def sandwich(self, rng: np.random.Generator) -> Population:
        """Networks of one supernet step, [k, genes]: the largest first, the smallest, and a random one.

        The sandwich rule of Yu & Huang 2019, "Universally Slimmable Networks". By default size is the number of
        elements in the ops' settings, which a space with a better notion of size overrides.
        """
        pool = self.sample(rng, 64)
        weight = np.array([sum(v for op in self.ops(a) for _, v in op.settings) for a in pool])
        return pool[[int(weight.argmax()), int(weight.argmin()), 0]]

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


def unique_genotypes(population: Population, exclude: Iterable[Genotype] = ()) -> Population:
    """Distinct rows in order of first appearance, without those in `exclude`."""
    seen = {g.tobytes() for g in exclude}
    keep = []
    for i, row in enumerate(np.ascontiguousarray(population)):
        if (key := row.tobytes()) not in seen:
            seen.add(key)
            keep.append(i)
    return population[keep]
