"""Which networks of a space to time on a device, before a table is fitted on them."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.sampling import random_networks
from hwnas.tables.fit import op_costs, op_counts, space_prior, tables_of_others
from latency_tables import HwnasError, LatencyTable
from latency_tables.few_shot.which_networks import networks_to_time

_CANDIDATES = 1000


def networks_to_fit_on(space: SearchSpace, k: int, like: Sequence[LatencyTable] = (), seed: int = 0) -> Population:
    """The `k` of a thousand random networks whose timings tell most about all the others, [k, genes], best first.

    `like` are tables of other devices, the prior as in `fit_table`. Raises `HwnasError` where the space has fewer than
    `k` networks, `TableError` when a table of `like` is of another space or lacks an op.
    """
    candidates = random_networks(space, [seed, 6], _CANDIDATES)
    if len(candidates) < k:
        raise HwnasError(f"cannot choose {k} of the {len(candidates)} networks of {space.name}; choose fewer")
    others = tables_of_others(space, like)
    prior = space_prior(space, op_costs(space), others)
    return candidates[networks_to_time(op_counts(space, candidates), k, prior)]
