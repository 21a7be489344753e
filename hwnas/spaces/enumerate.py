"""All networks of a space that is small enough to list."""

from __future__ import annotations

from math import prod

import numpy as np

from hwnas.spaces.genotypes import Genotypes
from latency_tables.additive.joint import every_value
from latency_tables.arrays import Population

LISTABLE = 100_000
"""Networks that a strategy keeps an eye on one by one."""

PRICEABLE = 1_000_000
"""Networks that are priced all at once where nothing quicker is exact."""


def every_network(space: Genotypes, at_most: int = LISTABLE) -> Population | None:
    """Every canonical genotype once, [size, genes], in order; None where there are more than `at_most` genotypes."""
    if prod(space.cardinalities) > at_most:
        return None
    genotypes = every_value(space.cardinalities, range(len(space.cardinalities)))
    distinct: Population = np.unique(space.canonical(genotypes), axis=0)
    return distinct
