"""Which networks to time, when a table is to come from a few whole networks."""

from __future__ import annotations

import numpy as np

from latency_tables.arrays import Floats
from latency_tables.few_shot.prior import Ints, OpPrior, design

_ERROR_VARIANCE = 5e-4  # of one timing, in units of the mean network


def networks_to_time(features: Floats, k: int, prior: OpPrior) -> Ints:
    """The rows of `features` [n, columns] whose timings tell most about all the others, [k], best first.

    Greedy: each next one lowers the mean variance of the predictions of all n networks most (Bayesian V-optimality,
    Chaloner & Verdinelli 1995, "Bayesian experimental design: a review"). Raises ValueError unless 0 < k <= n.
    """
    if not 0 < k <= len(features):
        raise ValueError(f"cannot choose {k} of {len(features)} networks")
    parts = design(features) @ prior.root()
    spread = parts.T @ parts / len(parts)
    covariance = np.eye(parts.shape[1])
    chosen: list[int] = []
    for _ in range(k):
        with_others = parts @ covariance
        variance = (with_others * parts).sum(axis=1) + _ERROR_VARIANCE
        gain = ((with_others @ spread) * with_others).sum(axis=1) / variance
        gain[chosen] = -np.inf
        best = int(gain.argmax())
        chosen.append(best)
        covariance -= np.outer(with_others[best], with_others[best]) / variance[best]
    return np.array(chosen, dtype=np.int64)
