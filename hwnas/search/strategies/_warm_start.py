"""Genotypes that somebody knows to be good, made fit to begin a search with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.search.budget import Budget
from hwnas.search.feasibility import repair
from hwnas.spaces import Population, SearchSpace, unique_genotypes


def warm_started(
    space: SearchSpace, warm_start: Population | None, budgets: Sequence[Budget], rng: np.random.Generator
) -> Population:
    """Distinct genotypes [m, genes] of a warm start [n, genes], repaired where over budget, left out where that fails.

    None is no genotypes. Raises `ArchError` for a genotype that is not of the space.
    """
    given = [] if warm_start is None else [space.check(arch) for arch in warm_start]
    population = np.array(given, dtype=np.int64).reshape(-1, len(space.cardinalities))
    return unique_genotypes(repair(space, population, budgets, rng))
