"""Exact Pareto fronts where accuracy and one cost are sums over few genes: a multiple-choice knapsack for all limits.

Dynamic programming over groups of genes that depend on each other, the stages of a chain; labels that cost more and
are worth no more are dropped (Nemhauser & Ullmann 1969, "Discrete dynamic programming and capital allocation").
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.search.budget import InfeasibleBudget
from hwnas.search.pareto import pareto_front
from hwnas.spaces import Population, SearchSpace
from latency_tables.additive.factors import Factors, NotSeparable, joined
from latency_tables.additive.gather import Genes
from latency_tables.additive.joint import every_value, shape_of
from latency_tables.arrays import Floats

_STATES = 2_000_000  # of one group of genes
_LABELS = 20_000_000  # that one step may make
_ROUNDING = 1e-12  # of a limit: sums in another order may differ by less


@dataclass(frozen=True)
class ExactFront:
    """Genotypes [n, genes], ascending in cost [n] and in value [n]: no other network is cheaper and as good."""

    population: Population
    value: Floats
    cost: Floats

    def __len__(self) -> int:
        return len(self.population)

    def __getitem__(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> ExactFront:
        return ExactFront(self.population[index], self.value[index], self.cost[index])

    def best(self, limit: float) -> int | None:
        """Which is the most valuable that costs at most `limit`; None where the cheapest costs more."""
        inside = int(np.searchsorted(self.cost, limit, side="right"))
        return inside - 1 if inside else None


def exact_front(space: SearchSpace, value: Factors, cost: Factors, limit: float = np.inf) -> ExactFront:
    """Every Pareto-optimal trade of `value` (up) against `cost` (down) up to `limit`, exact but for rounding.

    Networks are those of the functions' values, all of the space unless they are `Factors.limited`. Raises
    `InfeasibleBudget` naming the cheapest network when it costs more than `limit`, and `NotSeparable` where too
    many genes depend on each other; `best_network` may still answer then.
    """
    groups = joined(len(value.cardinalities), [*value.tables, *cost.tables])
    parts = [_front_of_group(space, genes, value, cost) for genes in groups]
    cheapest = [float(part.cost[0]) for part in parts]
    nothing = np.zeros((1, len(value.cardinalities)), dtype=np.int64)
    front = ExactFront(nothing, np.array([value.constant]), np.array([cost.constant]))
    for done, part in enumerate(parts):
        front = _combined(front, part, limit * (1 + _ROUNDING) - sum(cheapest[done + 1 :]))
    front = front[cost(front.population) <= limit]
    if not len(front):
        least = cost.constant + sum(cheapest)
        arch = space.canonical(np.sum([part.population[:1] for part in parts], axis=0))[0]
        raise InfeasibleBudget(
            f"no network of {space.name} costs {limit:g} or less: "
            f"the cheapest is {space.to_text(arch)} with {least:.4g}; give a larger limit"
        )
    return ExactFront(space.canonical(front.population), front.value, front.cost)


def _front_of_group(space: SearchSpace, genes: Genes, value: Factors, cost: Factors) -> ExactFront:
    """The front of some genes alone, all others 0."""
    if prod(shape_of(value.cardinalities, genes)) > _STATES:
        raise NotSeparable(f"{len(genes)} genes of {space.name} depend on each other: too many for an exact front")
    archs = every_value(value.cardinalities, genes)
    every = ExactFront(archs, value.of_joint(genes), cost.of_joint(genes))
    return every[pareto_front(every.value, every.cost)]


def _combined(one: ExactFront, other: ExactFront, limit: float) -> ExactFront:
    """The front of all pairs whose cost leaves the rest its cheapest choice."""
    if len(one) * len(other) > _LABELS:
        raise NotSeparable("the exact front has too many networks; ask for one budget with best_network")
    cost = (one.cost[:, None] + other.cost).ravel()
    pairs = np.flatnonzero(cost <= limit)
    mine, theirs = np.divmod(pairs, len(other))
    front = pareto_front(one.value[mine] + other.value[theirs], cost[pairs])
    mine, theirs = mine[front], theirs[front]
    population = one.population[mine] + other.population[theirs]  # each gene is set in one of them alone
    return ExactFront(population, one.value[mine] + other.value[theirs], cost[pairs][front])
