"""All networks of a space that is small enough to list."""

from __future__ import annotations

from math import prod

import numpy as np

from hwnas.spaces._base import Population, SearchSpace

LISTABLE = 100_000


def every_network(space: SearchSpace, at_most: int = LISTABLE) -> Population | None:
    """Every canonical genotype once, [size, genes], in order; None where there are more than `at_most` genotypes."""
    if prod(space.cardinalities) > at_most:
        return None
    grid = np.unravel_index(np.arange(prod(space.cardinalities)), space.cardinalities)
    distinct: Population = np.unique(space.canonical(np.stack(grid, axis=1).astype(np.int64)), axis=0)
    return distinct
