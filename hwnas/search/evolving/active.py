"""Which branches of each place are active, and which were not seen yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.spaces import Population, SearchSpace, Subspace
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
        """`count` random branches of each place, all of a place with fewer; late genes of the space come in last.

        Raises `HwnasError` where the space has no branches, or fewer than `count` at every place.
        """
        pools = branch_genes(space)
        if not any(pools):
            raise HwnasError(f"{space.name} has no places with branches to choose from; nse-32 is such a space")
        if not 2 <= count <= max(map(len, pools)):
            most = max(map(len, pools))
            raise HwnasError(f"{count} active branches per place: {space.name} has {most}, and at least 2 are needed")
        orders = [_order(space, pool, rng) for pool in pools]
        return cls(tuple(order[:count] for order in orders), tuple(order[count:] for order in orders))

    def part(self, space: SearchSpace) -> Subspace:
        """The networks of `space` without any branch that is not active."""
        values = dict.fromkeys(range(len(space.cardinalities)), (0,))
        return Subspace(space, {**values, **{gene: (0, 1) for genes in self.genes for gene in genes}})

    def next(self, front: Population, fitness: Floats, most: int) -> Active | None:
        """What is active after a round. None when no branch is unseen anywhere.

        `most` branches of a place survive at most, more only where fewer wait. First those of whole networks of `front`
        [n, genes], in their order, as far as they leave room for each other; then others that some network of it uses,
        by `fitness` [genes]. Unseen ones come in for the rest.
        """
        if not any(self.unseen):
            return None
        rooms = [max(most, len(active) - len(waiting)) for active, waiting in zip(self.genes, self.unseen, strict=True)]
        genes, unseen, used = [], [], _used(front)
        for active, staying, waiting in zip(self.genes, self._kept(front, fitness, rooms), self.unseen, strict=True):
            kept = tuple(gene for gene in staying if gene in used)
            come = len(active) - len(kept)
            genes.append((*kept, *waiting[:come]))
            unseen.append(waiting[come:])
        return Active(tuple(genes), tuple(unseen))

    def last(self, front: Population, fitness: Floats, most: int) -> Active:
        """What is left after the last round: `most` branches of a place, in the order in which they stay in `next`.

        Those that no network of `front` uses come last.
        """
        return Active(self._kept(front, fitness, [most] * len(self.genes)), ())

    def _kept(self, front: Population, fitness: Floats, rooms: Sequence[int]) -> tuple[Genes, ...]:
        whole, used = self._whole(front, rooms), _used(front)

        def order(gene: int) -> tuple[bool, bool, float, int]:
            return gene not in whole, gene not in used, -fitness[gene], gene

        places = zip(self.genes, rooms, strict=True)
        return tuple(tuple(sorted(active, key=order)[:room]) for active, room in places)

    def _whole(self, front: Population, rooms: Sequence[int]) -> set[int]:
        """Branches of the networks that can stay as they are."""
        whole = set[int]()
        for network in front:
            union = whole | _used(network[None])
            if all(len(union.intersection(active)) <= room for active, room in zip(self.genes, rooms, strict=True)):
                whole = union
        return whole


def _used(networks: Population) -> set[int]:
    """Branches that some of the networks [n, genes] have."""
    return set(np.flatnonzero(networks.any(axis=0)).tolist())


def branch_genes(space: SearchSpace) -> tuple[Genes, ...]:
    """The genes of branches that may be there or not, by the places of a space that have branches."""
    by_place = ([space.slots[slot] for slot in branches] for _, *branches in space.places if branches)
    return tuple(
        tuple(gene for slot in slots if len(slot.choices) == 2 for gene in slot.genes or ()) for slots in by_place
    )


def _order(space: SearchSpace, pool: Genes, rng: np.random.Generator) -> Genes:
    drawn = [int(gene) for gene in rng.permutation(pool)]
    return tuple(sorted(drawn, key=lambda gene: gene in space.late_genes))
