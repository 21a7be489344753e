"""The Pareto front of a gain against a cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latency_tables.arrays import Floats


def pareto_front(gain: Floats, cost: Floats) -> NDArray[np.int64]:
    """Indices of those that no other is as cheap as and gains as much as, of [n] each, cheapest first."""
    order = np.lexsort((-gain, cost))
    best = np.maximum.accumulate(gain[order])
    better = np.concatenate([[True], best[1:] > best[:-1]]) if len(order) else np.zeros(0, dtype=bool)
    front: NDArray[np.int64] = order[better]
    return front
