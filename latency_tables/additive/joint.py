"""Joint values of a few genes: how many there are, and all of them; genes that depend on each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np

from latency_tables.arrays import Population


def every_value(cardinalities: Sequence[int], genes: Sequence[int]) -> Population:
    """Genotypes [states, all genes] with every joint value of some genes, the last one changing first; others are 0."""
    free = [gene for gene in genes if cardinalities[gene] > 1]  # numpy has arrays of 64 dimensions at most
    shape = shape_of(cardinalities, free)
    archs = np.zeros((prod(shape), len(cardinalities)), dtype=np.int64)
    archs[:, free] = np.indices(shape).reshape(len(shape), prod(shape)).T
    return archs


def shape_of(cardinalities: Sequence[int], genes: Sequence[int]) -> tuple[int, ...]:
    """How many values each of some genes has."""
    return tuple(cardinalities[g] for g in genes)


def connected(genes: Iterable[int], together: Iterable[Iterable[int]]) -> tuple[tuple[int, ...], ...]:
    """The finest partition of some genes that splits none of the tuples `together`; each group ascends."""
    group = {gene: {gene} for gene in genes}
    for joined in together:
        union = set[int]().union(*(group[g] for g in joined if g in group))
        group |= dict.fromkeys(union, union)
    return tuple(sorted({tuple(sorted(members)) for members in group.values()}))
