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


def hypervolume(gain: Floats, cost: Floats, least_gain: float, most_cost: float) -> float:
    """What networks of these gains and costs, [n] each, dominate above one gain and below one cost (Zitzler 1999)."""
    from pymoo.indicators.hv import HV  # late: pymoo takes half a second

    return float(HV(ref_point=np.array([most_cost, -least_gain]))(np.stack([cost, -gain], axis=1)))


def by_volume(gain: Floats, cost: Floats, least_gain: float, most_cost: float) -> NDArray[np.int64]:
    """Indices of the front in the order in which each adds most to the hypervolume of those before it."""
    left, order = pareto_front(gain, cost).tolist(), list[int]()
    while left:
        volumes = [hypervolume(gain[[*order, i]], cost[[*order, i]], least_gain, most_cost) for i in left]
        order.append(left.pop(int(np.argmax(volumes))))
    return np.array(order, dtype=np.int64)
