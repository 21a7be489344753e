"""A space shrunk by a signal: the values of genes whose networks are worth least are dropped, a few at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwnas.spaces import Population, SearchSpace, Subspace
from latency_tables.arrays import Floats

_SAMPLE = 1000

Signal = Callable[[Population], Floats]


def shrink(
    space: SearchSpace,
    worth: Signal,
    drop: int,
    seed: int = 0,
    feasible: Callable[[Subspace], bool] | None = None,
    sample: int = _SAMPLE,
) -> Subspace:
    """`space` without the `drop` values of genes that are worth least, fewer where no more can go.

    A value is worth the mean `worth` of the networks of a random sample that have it (ABS, Hu et al. 2020,
    "Angle-based Search Space Shrinking for Neural Architecture Search", whose signal is `weight_angles`; any other may
    be given). Every gene keeps a value, and a value stays where the space without it is not `feasible`: has no network
    inside the budget. `worth` gets genotypes [n, genes] of `space`.
    """
    networks = space.sample(np.random.default_rng([seed, 12]), sample)
    said = worth(networks)
    worths = sorted(
        (float(said[has].mean()), gene, value)
        for gene, values in enumerate(space.cardinalities)
        for value in range(values)
        if (has := networks[:, gene] == value).any()
    )
    allowed = {gene: list(range(values)) for gene, values in enumerate(space.cardinalities)}
    dropped = 0
    for _, gene, value in worths:
        if dropped == drop:
            break
        fewer = allowed | {gene: [v for v in allowed[gene] if v != value]}
        if fewer[gene] and (feasible is None or feasible(Subspace(space, fewer))):
            allowed, dropped = fewer, dropped + 1
    return Subspace(space, allowed)
