"""Budgets as projections: the nearest distribution whose networks keep them in expectation.

Minimising KL(q || p) while E_q[cost] <= limit gives q proportional to p exp(-price * cost), with one price per budget
for all genes: a convex problem in a price or two, whatever the size of the space. A penalty on the cost would need its
weight to be tuned, and would still overstep.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from hwnas.search.budget import Budget
from hwnas.search.differentiable.expectation import additive_bound, expected
from hwnas.search.feasibility import inside_part
from hwnas.spaces import SearchSpace, Subspace
from latency_tables.arrays import Floats

_ROUNDS = 60
_CLOSE = 1e-7  # of a limit: how far inside a projection ends
_DEAREST = 1e4  # the price of a deviation of cost beyond which the cheapest values are all that is left


def project(space: SearchSpace, probabilities: Floats, budgets: Sequence[Budget]) -> Floats:
    """The probabilities [genes, values] nearest to given ones under which every budget is kept in expectation.

    Genes are independent; costs may have tables over several genes and knees, whose chord is held to the budget. Values
    without a probability get none. Where no price is high enough, all lies on one network inside the budgets. Raises
    `InfeasibleBudget` where the values with a probability make no such network, `NotSeparable` for costs that are no
    sums over genes.
    """
    if not budgets:
        return probabilities
    bounds = [additive_bound(budget.cost, probabilities) for budget in budgets]
    limits = np.array([budget.limit for budget in budgets])
    aims, found = limits - _CLOSE * np.abs(limits), probabilities
    for _ in range(_ROUNDS + 1):
        costs, slopes = zip(*(expected(bound, found) for bound in bounds), strict=True)
        if all(cost <= limit for cost, limit in zip(costs, limits, strict=True)):
            return found
        # Tables over several genes are taken as they are around the last answer; those over one are exact at once.
        offsets = np.array([cost - float((slope * found).sum()) for cost, slope in zip(costs, slopes, strict=True)])
        found = _tilted(probabilities, np.stack(slopes), aims - offsets)
    part = part_of(space, probabilities > 0)
    chosen = [values[v] for values, v in zip(part.allowed, inside_part(part, budgets), strict=True)]
    one: Floats = np.eye(probabilities.shape[1])[chosen]
    return one


def part_of(space: SearchSpace, allowed: NDArray[np.bool_]) -> Subspace:
    """The networks that have only `allowed` [genes, values]."""
    return Subspace(space, {gene: np.flatnonzero(row).tolist() for gene, row in enumerate(allowed)})


def _tilted(probabilities: Floats, slopes: Floats, limits: Floats) -> Floats:
    """Probabilities times exp(-price * slope), at the prices of `slopes` [budgets, genes, values] that keep limits."""
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities)
    there = probabilities > 0
    sizes = np.array([float(slope[there].std()) or 1.0 for slope in slopes])
    slopes, limits = slopes / sizes[:, None, None], limits / sizes

    def tilted(prices: Floats) -> tuple[Floats, Floats]:
        moved = logs - np.tensordot(prices, slopes, axes=1)
        return moved, logsumexp(moved, axis=1)

    def dual(prices: Floats) -> tuple[float, Floats]:
        moved, norms = tilted(prices)
        mean = np.einsum("gv,bgv->b", np.exp(moved - norms[:, None]), slopes)
        return float(norms.sum() + prices @ limits), limits - mean

    at = minimize(
        dual,
        np.zeros(len(limits)),
        jac=True,
        bounds=[(0, _DEAREST)] * len(limits),
        method="L-BFGS-B",
        options={"ftol": 0.0, "gtol": 1e-10, "maxiter": 500},
    ).x
    moved, norms = tilted(at)
    return np.exp(moved - norms[:, None])
