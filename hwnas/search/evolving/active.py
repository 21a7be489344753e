"""Which branches of each place are active, and which were not seen yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from hwnas.spaces import SearchSpace, Subspace
from latency_tables import HwnasError
from latency_tables.arrays import Floats

Genes = tuple[int, ...]


@dataclass(frozen=True)
class Active:
    """Branches by the stages of a space, as genes: those networks may have, and those still to come, in their order."""

    genes: tuple[Genes, ...]
    unseen: tuple[Genes, ...]

    @classmethod
    def first(cls, space: SearchSpace, count: int, rng: np.random.Generator) -> Active:
        """`count` random branches of each place. Raises `HwnasError` where there are fewer, or genes of more values."""
        if set(space.cardinalities) != {2}:
            raise HwnasError(f"{space.name} has no places with branches to choose from; nse-32 is such a space")
        if count < 2 or any(len(stage) < count for stage in space.stages):
            least = min(map(len, space.stages))
            raise HwnasError(f"{count} active branches per place: {space.name} has {least}, and at least 2 are needed")
        orders = [tuple(int(gene) for gene in rng.permutation(stage)) for stage in space.stages]
        return cls(tuple(order[:count] for order in orders), tuple(order[count:] for order in orders))

    def part(self, space: SearchSpace) -> Subspace:
        """The networks of `space` without any branch that is not active."""
        values = dict.fromkeys(range(len(space.cardinalities)), (0,))
        return Subspace(space, {**values, **{gene: (0, 1) for genes in self.genes for gene in genes}})

    def next(self, used: Collection[int], fitness: Floats, most: int) -> Active | None:
        """What is active after a round: the `most` fittest of the `used` branches, unseen ones in the others' place.

        `fitness` [genes]. Where all were seen, all that are used stay. None when none is unseen anywhere.
        """
        if not any(self.unseen):
            return None
        genes, unseen = [], []
        for active, waiting in zip(self.genes, self.unseen, strict=True):
            survivors = sorted((gene for gene in active if gene in used), key=lambda gene: -fitness[gene])
            kept = survivors[: max(most, len(active) - len(waiting))]
            come = len(active) - len(kept)
            genes.append((*kept, *waiting[:come]))
            unseen.append(waiting[come:])
        return Active(tuple(genes), tuple(unseen))
