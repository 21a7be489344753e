"""All networks of a space that is small enough to list, and all values of a few genes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from hwnas.spaces._base import Population, SearchSpace

LISTABLE = 100_000


def every_network(space: SearchSpace, at_most: int = LISTABLE) -> Population | None:
    """Every canonical genotype once, [size, genes], in order; None where there are more than `at_most` genotypes."""
    if prod(space.cardinalities) > at_most:
        return None
    genotypes = every_value(space.cardinalities, range(len(space.cardinalities)))
    distinct: Population = np.unique(space.canonical(genotypes), axis=0)
    return distinct


def every_value(cardinalities: Sequence[int], genes: Sequence[int]) -> Population:
    """Genotypes [states, all genes] with every joint value of some genes, the last one changing first; others are 0."""
    shape = shape_of(cardinalities, genes)
    archs = np.zeros((prod(shape), len(cardinalities)), dtype=np.int64)
    archs[:, list(genes)] = np.indices(shape).reshape(len(shape), prod(shape)).T
    return archs


def shape_of(cardinalities: Sequence[int], genes: Sequence[int]) -> tuple[int, ...]:
    """How many values each of some genes has."""
    return tuple(cardinalities[g] for g in genes)
