"""Networks that keep budgets, made by construction; and the answer where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hwnas.search.budget import Budget, InfeasibleBudget, feasible, violation
from hwnas.search.exact.network import best_network, cheapest
from hwnas.search.moves import Moves
from hwnas.spaces import Genotype, Population, SearchSpace, Subspace
from latency_tables import LatencyModel
from latency_tables.additive import Factors, Hinged, NotSeparable
from latency_tables.arrays import Floats, Function

_STEPS = 200
_TRIES = 4
_FEW = 8
_AROUND = 100_000  # genotypes priced at once, of not more genes altogether than
_GENES = 16_000_000


def repair(
    space: SearchSpace, population: Population, budgets: Sequence[Budget], rng: np.random.Generator
) -> Population:
    """Those genotypes [m, genes], m <= n, as they are or after mutations that bring them inside the budgets.

    All walk together: a mutation is kept where it brings a network closer. Those that do not arrive take the steepest
    way, over single-gene changes; those that get stuck on it are left out.
    """

    def overrun(archs: Population) -> Floats:
        return violation(budgets, archs)

    walking, over = population.copy(), overrun(population)
    for _ in range(_STEPS):
        outside = np.flatnonzero(over > 0)
        if not outside.size:
            return walking
        proposed = space.mutate(walking[outside], rng)
        closer = overrun(proposed)
        better = closer < over[outside]
        walking[outside[better]], over[outside[better]] = proposed[better], closer[better]
    outside = np.flatnonzero(over > 0)
    walking[outside], over[outside] = steepest(space, walking[outside], overrun, enough=0.0)
    return walking[over <= 0]


def steepest(
    space: SearchSpace, population: Population, cost: Function, enough: float = -np.inf
) -> tuple[Population, Floats]:
    """Where genotypes [n, genes] get by the single-gene changes that save most, until `enough` or stuck, and the costs.

    The first genotype of those that save as much, in lexicographic order.
    """
    ends, costs, moves = population.copy(), np.array(cost(population), dtype=np.float64), Moves(space)
    at_once = max(1, min(_AROUND, _GENES // ends.shape[1]) // max(len(moves), 1))
    walking = np.flatnonzero(costs > enough)
    while walking.size and len(moves):
        moved = []
        for start in range(0, len(walking), at_once):
            rows = walking[start : start + at_once]
            around = moves.apply(ends[rows])
            left = cost(around.reshape(-1, ends.shape[1])).reshape(len(rows), -1)
            least = left.min(axis=1)
            walker, move = np.nonzero((left == least[:, None]) & (least < costs[rows])[:, None])
            equals = around[walker, move]
            order = np.lexsort((*equals.T[::-1], walker))
            better, first = np.unique(walker[order], return_index=True)
            ends[rows[better]], costs[rows[better]] = equals[order[first]], least[better]
            moved.append(rows[better])
        walking = np.concatenate(moved)
        walking = walking[costs[walking] > enough]
    return ends, costs


def sample_within(space: SearchSpace, budgets: Sequence[Budget], rng: np.random.Generator, n: int) -> Population:
    """`n` random genotypes that keep every budget, [n, genes], by construction rather than rejection.

    Raises `InfeasibleBudget` naming the cheapest network when none is found.
    """
    if budgets and n > _FEW:
        sample_within(space, budgets, np.random.default_rng(0), 1)  # so that impossible budgets are refused at once
    found = space.sample(rng, 0)
    for _ in range(_TRIES):
        drawn = space.sample(rng, max(n - len(found), _FEW))
        found = np.concatenate([found, repair(space, drawn, budgets, rng)])
        if len(found) >= n:
            return found[:n]
    if len(found):
        return found[rng.integers(0, len(found), n)]
    raise infeasible(space, budgets)


def infeasible(space: SearchSpace, budgets: Sequence[Budget]) -> InfeasibleBudget:
    """The error that names the network which comes closest to the budgets."""
    best = closest(space, budgets)[None]
    costs = ", ".join(f"{b.cost(best)[0]:.4g} {b.name}" for b in budgets)
    return InfeasibleBudget.of(space, budgets, f"the closest is {space.to_text(best[0])} with {costs}")


def closest(space: SearchSpace, budgets: Sequence[Budget]) -> Genotype:
    """The genotype [genes] with the least overrun, the cheapest of equals."""

    def distance(population: Population) -> Floats:
        share = np.sum([b.cost(population) / b.limit for b in budgets], axis=0)
        total: Floats = violation(budgets, population) + 1e-6 * share
        return total

    return descend(space, distance, 8)


def descend(space: SearchSpace, cost: Function, starts: int) -> Genotype:
    """The genotype [genes] of the lowest cost that steepest descent over single genes finds from random starts.

    Exact where each gene's share of the cost is its own, as with a latency table of a chain.
    """
    ends, costs = steepest(space, space.sample(np.random.default_rng(0), starts), cost)
    best: Genotype = ends[costs.argmin()]
    return best


def inside_part(part: Subspace, budgets: Sequence[Budget]) -> Genotype:
    """A network [genes] of a part of a space that keeps the budgets, which are of the whole space.

    Exact where costs are sums over genes or the part can be listed; elsewhere the best of a few steepest descents.
    Raises `InfeasibleBudget`, naming the cheapest of the part, where none is found.
    """
    own = budgets_of_part(part, budgets)
    try:
        return best_network(part, Factors(part.cardinalities, {}), own).arch
    except NotSeparable:
        near = closest(part, own)
    if not feasible(own, near[None])[0]:
        raise infeasible(part, own)
    return near


def budgets_of_part(part: Subspace, budgets: Sequence[Budget]) -> list[Budget]:
    """Budgets of a whole space as budgets of a part."""
    return [replace(budget, cost=_of_part(budget.cost, part)) for budget in budgets]


def _of_part(cost: Function, part: Subspace) -> Function:
    if isinstance(cost, Factors | Hinged):
        return cost.restricted(part.allowed)
    return lambda population: cost(part.to_whole(population))


def fastest(space: SearchSpace, latency: LatencyModel) -> Genotype:
    """The network with the lowest predicted upper bound: exact where latency adds up over genes, or all can be listed.

    Elsewhere the best of a few steepest descents.
    """
    try:
        return cheapest(space, latency.upper_ms)
    except NotSeparable:
        return descend(space, latency.upper_ms, 4)


def require_feasible(space: SearchSpace, latency: LatencyModel, budget_ms: float) -> None:
    """Raise `InfeasibleBudget` at once, with the fastest network, when nothing can be inside the budget."""
    if not np.isfinite(budget_ms) or budget_ms <= 0:
        raise InfeasibleBudget(f"a budget must be more than 0 ms, got {budget_ms:g}")
    arch, budgets = fastest(space, latency), [Budget.latency(latency, budget_ms)]
    if not feasible(budgets, arch[None])[0]:
        prediction = latency.predict(arch[None])
        upper_ms = float(prediction.upper_ms[0])
        ms = f"{prediction.ms[0]:.4g} ms (upper bound {upper_ms:.4g} ms)"
        raise InfeasibleBudget.of(space, budgets, f"the fastest is {space.to_text(arch)} with {ms}", upper_ms)
