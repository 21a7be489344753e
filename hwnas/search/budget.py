"""Hard limits on what a network may cost, and networks that keep them, made by construction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces import Genotype, Population, SearchSpace
from latency_tables import HwnasError, LatencyModel
from latency_tables.arrays import Floats

_STEPS = 200
_TRIES = 4
_FEW = 8


class InfeasibleBudget(HwnasError):
    """No network of the space is that cheap; the message names the cheapest one and what it costs."""


@dataclass(frozen=True)
class Budget:
    """`cost` of genotypes [n, genes], [n], must not be above `limit`. `name` is the unit: "ms", "MACs", ..."""

    name: str
    limit: float
    cost: Callable[[Population], Floats]

    @classmethod
    def latency(cls, model: LatencyModel, budget_ms: float) -> Budget:
        """A budget in milliseconds: met when the *upper* end of the interval is inside."""
        return cls("ms", budget_ms, model.upper_ms)

    def violation(self, population: Population) -> Floats:
        """How far above the limit, as a fraction of it, [n]; 0 where it is kept."""
        over: Floats = np.maximum((self.cost(population) - self.limit) / (abs(self.limit) or 1.0), 0)
        return over


def violation(budgets: Sequence[Budget], population: Population) -> Floats:
    """The sum of overruns over all budgets, [n]; exactly 0 where every budget is kept."""
    return np.sum([b.violation(population) for b in budgets], axis=0) if budgets else np.zeros(len(population))


def feasible(budgets: Sequence[Budget], population: Population) -> NDArray[np.bool_]:
    """Which genotypes [n, genes] keep every budget, [n]."""
    inside: NDArray[np.bool_] = violation(budgets, population) <= 0
    return inside


def repair(
    space: SearchSpace, population: Population, budgets: Sequence[Budget], rng: np.random.Generator
) -> Population:
    """Those genotypes [m, genes], m <= n, as they are or after mutations that bring them inside the budgets.

    All walk together: a mutation is kept where it brings a network closer. Those that do not arrive try every single
    change of theirs; one that none brings closer is left out.
    """
    walking, over = population.copy(), violation(budgets, population)
    for _ in range(_STEPS):
        outside = np.flatnonzero(over > 0)
        if not outside.size:
            return walking
        proposed = space.mutate(walking[outside], rng)
        closer = violation(budgets, proposed)
        better = closer < over[outside]
        walking[outside[better]], over[outside[better]] = proposed[better], closer[better]
    ends = [_step_by_step(space, arch, budgets) if o > 0 else arch for arch, o in zip(walking, over, strict=True)]
    return np.array([e for e in ends if e is not None], dtype=np.int64).reshape(-1, population.shape[1])


def _step_by_step(space: SearchSpace, arch: Genotype, budgets: Sequence[Budget]) -> Genotype | None:
    """The first network inside the budgets on the steepest way there; None where it ends before."""
    over = float(violation(budgets, arch[None])[0])
    while over > 0:
        around = space.neighbours(arch)
        closer = violation(budgets, around)
        if closer.min(initial=np.inf) >= over:
            return None
        arch, over = around[closer.argmin()], float(closer.min())
    return arch


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
    limits = " and ".join(f"{b.limit:g} {b.name}" for b in budgets)
    return InfeasibleBudget(
        f"no network of {space.name} fits {limits}: the closest is {space.to_text(best[0])} with {costs}; "
        "give a larger budget"
    )


def closest(space: SearchSpace, budgets: Sequence[Budget], starts: int = 8) -> Genotype:
    """The genotype [genes] with the least overrun, the cheapest of equals."""

    def distance(population: Population) -> Floats:
        share = np.sum([b.cost(population) / b.limit for b in budgets], axis=0)
        total: Floats = violation(budgets, population) + 1e-6 * share
        return total

    return descend(space, distance, starts)


def descend(space: SearchSpace, cost: Callable[[Population], Floats], starts: int) -> Genotype:
    """The genotype [genes] of the lowest cost that steepest descent over single genes finds from random starts.

    Exact where each gene's share of the cost is its own, as with a latency table of a chain.
    """
    best: tuple[float, Genotype] | None = None
    for arch in space.sample(np.random.default_rng(0), starts):
        here = float(cost(arch[None])[0])
        while len(around := space.neighbours(arch)):
            costs = cost(around)
            if costs.min() >= here:
                break
            arch, here = around[costs.argmin()], float(costs.min())
        if best is None or here < best[0]:
            best = here, arch
    assert best is not None
    return best[1]
