"""The search space: genotypes, what predictors see of them, and the torch modules they stand for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnas.spaces.genotypes import Genotypes
from latency_tables import Op
from latency_tables.additive.slots import Ops
from latency_tables.arrays import Floats, Genotype, Population

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class View:
    """`encode` turns genotypes [n, genes] into features [n, f].

    `trend` marks a few numbers that accuracy is expected to rise or fall with, even far from what has been seen;
    `share` is how much of the spread of accuracies the view is expected to explain, relative to the other views.
    """

    name: str
    encode: Callable[[Population], Floats]
    trend: bool = False
    share: float = 1.0


class SearchSpace(Genotypes):
    """A set of networks that can be priced, encoded and built.

    A space of your own sets `name`, `input_shape` and `num_classes` and defines `cardinalities`, `slots` and
    `build_op`. Everything else follows: canonical genotypes, prices by a table, exact search, the supernet. Torch is
    needed to build modules only.
    """

    input_shape: tuple[int, int, int]
    num_classes: int
    is_chain: bool = True  # whether a network's places run one after another, as a supernet takes them

    @abstractmethod
    def build_op(self, op: Op) -> nn.Module:
        """The torch module of one op, mapping [batch, *op.in_shape] to the next op's input."""

    @property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """Slots that take the same input, place by place in network order: by default each stands alone.

        The first slot of a place with several is its skip: always the same ops, or none, which is an identity. The
        others are branches of one op or none, whose modules are `Residual`; skip and mean of the branches add up.
        """
        return tuple((slot,) for slot in range(len(self.slots)))

    @property
    def late_genes(self) -> Collection[int]:
        """Branches that an evolving space takes up after all others: none by default."""
        return ()

    def at_places(self, arch: Genotype) -> Iterator[tuple[tuple[int, Ops], ...]]:
        """Which slots have ops at each place of a network, with those; the first slot always."""
        options = self.slot_options(arch[None])[0]
        for first, *branches in self.places:
            chosen = [(slot, self.slots[slot].options[options[slot]]) for slot in (first, *branches)]
            yield (chosen[0], *((slot, ops) for slot, ops in chosen[1:] if ops))

    def build(self, arch: Genotype) -> nn.Module:
        """The torch module of one network, mapping [batch, *input_shape] to [batch, num_classes]."""
        return self.assemble(arch, lambda slot, position, op: self.build_op(op))

    def assemble(self, arch: Genotype, make: Callable[[int, int, Op], nn.Module]) -> nn.Module:
        """One network from modules that `make` gives for every slot, position in it, and op."""
        from torch import nn

        from hwnas.spaces.modules import Parallel

        network: list[nn.Module] = []
        for step in self.at_places(arch):
            first, *branches = ([make(slot, i, op) for i, op in enumerate(ops)] for slot, ops in step)
            network += [Parallel(first, [block for (block,) in branches])] if branches else first
        return nn.Sequential(*network)

    def weight_source(self, op: Op) -> Op:
        """Whose weights this op borrows in a supernet: leading channels, centre of kernels. Its own by default."""
        return op

    def encode(self, population: Population) -> Floats:
        """Features for predictors, [n, features]: by default the options of slots that have a choice, one-hot."""
        chosen = [len(slot.options) > 1 for slot in self.slots for _ in slot.options]
        return self.layout.one_hot(population)[:, chosen]

    @property
    def views(self) -> tuple[View, ...]:
        """Ways to see networks that a predictor may weigh separately: `encode` alone by default."""
        return (View("choices", self.encode),)

    def graphs(self, population: Population) -> tuple[Floats, Floats]:
        """Networks as graphs of k nodes: edges [n, k, k] from row to column, and the nodes' ops one-hot [n, k, ops].

        By default a chain of the slots that have a choice.
        """
        places = [i for i, slot in enumerate(self.slots) if len(slot.options) > 1]
        nodes = np.eye(max(len(self.slots[i].options) for i in places))[self.slot_options(population)[:, places]]
        edges = np.eye(len(places), k=1)
        return np.broadcast_to(edges, (len(population), *edges.shape)), nodes

    def sandwich(self, rng: np.random.Generator) -> Population:
        """Networks of one supernet step, [k, genes]: the largest first, the smallest, and a random one.

        The sandwich rule of Yu & Huang 2019, "Universally Slimmable Networks". By default size is the number of
        elements in the ops' settings, which a space with a better notion of size overrides.
        """
        pool = self.sample(rng, 64)
        weight = np.array([sum(v for op in self.ops(a) for _, v in op.settings) for a in pool])
        return pool[[int(weight.argmax()), int(weight.argmin()), 0]]
