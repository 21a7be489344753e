"""Exact search where accuracy and costs are sums over few genes: a multiple-choice knapsack, answered with proof.

With one cost the whole Pareto front comes from dynamic programming over groups of genes that depend on each other, the
stages of a chain; labels that cost more and are worth no more are dropped (Nemhauser & Ullmann 1969). With several
budgets one mixed-integer programme finds the best network, solved by HiGHS through scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csr_array

from hwnas.search.budget import Budget, InfeasibleBudget, kept
from hwnas.spaces import Genotype, Population, SearchSpace
from hwnas.spaces.factors import Factors, Genes, NotSeparable, every_value, joined, shape_of

Floats = NDArray[np.float64]

_STATES = 2_000_000  # of one group of genes
_LABELS = 20_000_000  # that one step may make
_TIGHTER = 2e-6  # of a limit: twice what HiGHS may overstep it by
_INFEASIBLE = 2


@dataclass(frozen=True)
class ExactFront:
    """Genotypes [n, genes], ascending in cost [n] and in value [n]: no other network is cheaper and as good."""

    population: Population
    value: Floats
    cost: Floats

    def __len__(self) -> int:
        return len(self.population)

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
    cheapest = [float(part.cost.min()) for part in parts]
    constant = float(value.tables.get((), 0)), float(cost.tables.get((), 0))
    front = ExactFront(np.zeros((1, len(value.cardinalities)), np.int64), *(np.array([c]) for c in constant))
    for done, part in enumerate(parts):
        front = _combined(front, part, limit - sum(cheapest[done + 1 :]))
    if not len(front):
        least = constant[1] + sum(cheapest)
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
    mine = [
        Factors(f.cardinalities, {g: t for g, t in f.tables.items() if g and set(g) <= set(genes)})
        for f in (value, cost)
    ]
    return _undominated(ExactFront(archs, *(f(archs) for f in mine)))


def _combined(one: ExactFront, other: ExactFront, limit: float) -> ExactFront:
    """The front of all pairs whose cost leaves the rest its cheapest choice."""
    if len(one) * len(other) > _LABELS:
        raise NotSeparable("the exact front has too many networks; ask for one budget with best_network")
    cost = (one.cost[:, None] + other.cost).ravel()
    pairs = np.flatnonzero(cost <= limit)
    mine, theirs = np.divmod(pairs, len(other))
    kept = _undominated_indices(one.value[mine] + other.value[theirs], cost[pairs])
    mine, theirs = mine[kept], theirs[kept]
    population = one.population[mine] + other.population[theirs]  # each gene is set in one of them alone
    return ExactFront(population, one.value[mine] + other.value[theirs], cost[pairs][kept])


def _undominated(front: ExactFront) -> ExactFront:
    kept = _undominated_indices(front.value, front.cost)
    return ExactFront(front.population[kept], front.value[kept], front.cost[kept])


def _undominated_indices(value: Floats, cost: Floats) -> NDArray[np.int64]:
    """The Pareto front of [n], cheapest first."""
    order = np.lexsort((-value, cost))
    best = np.maximum.accumulate(value[order])
    new = np.concatenate([[True], best[1:] > best[:-1]]) if len(order) else np.zeros(0, dtype=bool)
    chosen: NDArray[np.int64] = order[new]
    return chosen


@dataclass(frozen=True)
class ExactAnswer:
    """The best genotype [genes] found, its value, and what no network within the limits can exceed."""

    arch: Genotype
    value: float
    bound: float

    def proven(self, tolerance: float = 1e-6) -> bool:
        """Whether nothing can be better by more than `tolerance`, relative to the bound."""
        return self.bound - self.value <= tolerance * max(1.0, abs(self.bound))


def best_network(
    space: SearchSpace, value: Factors, budgets: Sequence[Budget] = (), time_limit_s: float | None = None
) -> ExactAnswer:
    """The most valuable network within every budget, with a bound on all others.

    Raises `InfeasibleBudget` naming, for each budget, the least that any network costs; `NotSeparable` for a budget
    whose cost is no `Factors`; `TimeoutError` when not a single network was found in `time_limit_s`.
    """
    costs = [additive_cost(budget) for budget in budgets]
    programme = _Programme(value, costs)
    limits, bound, tightened = np.array([budget.limit for budget in budgets]), np.inf, 0.0
    while True:
        solved = programme.solve(limits - tightened * np.abs(limits), time_limit_s)
        if solved.status == _INFEASIBLE:
            raise _infeasible(space, budgets)
        if solved.x is None:
            raise TimeoutError(f"no network of {space.name} was found in {time_limit_s:g} s; give it more time")
        bound = min(bound, -solved.mip_dual_bound) if not tightened else bound
        arch = space.canonical(programme.genotype(solved.x)[None])
        if kept(budgets, arch)[0]:
            return ExactAnswer(arch[0], float(value(arch)[0]), float(bound + value.tables.get((), 0)))
        tightened += _TIGHTER  # rounding overstepped a limit, and limits are hard


def additive_cost(budget: Budget) -> Factors:
    """A budget's cost as tables; raises `NotSeparable` where it is another function."""
    if not isinstance(budget.cost, Factors):
        raise NotSeparable(f"what a network costs in {budget.name} does not add up over its genes: search it instead")
    return budget.cost


def _infeasible(space: SearchSpace, budgets: Sequence[Budget]) -> InfeasibleBudget:
    least = []
    for budget in budgets:
        cheapest = best_network(space, additive_cost(budget).scaled(-1.0))
        least.append(f"{space.to_text(cheapest.arch)} has the fewest {budget.name}, {-cheapest.value:.4g}")
    wanted = " and ".join(f"{budget.limit:g} {budget.name}" for budget in budgets)
    return InfeasibleBudget(f"no network of {space.name} fits {wanted}: {'; '.join(least)}; give a larger budget")


class _Programme:
    """One-hot genes, and one-hot joint values of genes that share a table: whole where the genes are whole."""

    def __init__(self, value: Factors, costs: Sequence[Factors]):
        self.cardinalities = value.cardinalities
        self.starts = np.concatenate([[0], np.cumsum(value.cardinalities)])
        shared = sorted({genes for f in (value, *costs) for genes in f.tables if len(genes) > 1})
        self.joint: dict[Genes, int] = {}
        self.size = int(self.starts[-1])
        for genes in shared:
            self.joint[genes] = self.size
            self.size += prod(shape_of(self.cardinalities, genes))
        self.gain = self._row(value)
        self.costs, self.constants = [self._row(c) for c in costs], [float(c.tables.get((), 0)) for c in costs]
        self.equal, self.right = self._consistency()

    def _row(self, factors: Factors) -> Floats:
        """What each variable adds, [variables]."""
        row = np.zeros(self.size)
        for genes, table in factors.tables.items():
            if genes:
                start = self.joint[genes] if len(genes) > 1 else int(self.starts[genes[0]])
                row[start : start + table.size] += table.ravel()
        return row

    def _consistency(self) -> tuple[csr_array, Floats]:
        """Each gene has one value; the joint values of a table add up to those of its genes."""
        rows: list[tuple[Sequence[int], Sequence[int]]] = []  # variables counted once, variables taken off
        rows += [(range(self.starts[g], self.starts[g + 1]), ()) for g in range(len(self.cardinalities))]
        for genes, start in self.joint.items():
            states = every_value(self.cardinalities, genes)
            for gene in genes:
                for v in range(self.cardinalities[gene]):
                    where = start + np.flatnonzero(states[:, gene] == v)
                    rows.append((where.tolist(), [int(self.starts[gene]) + v]))
        lengths = [len(plus) + len(minus) for plus, minus in rows]
        columns = list(chain.from_iterable([*plus, *minus] for plus, minus in rows))
        signs = list(chain.from_iterable([1.0] * len(plus) + [-1.0] * len(minus) for plus, minus in rows))
        row_of = np.repeat(np.arange(len(rows)), lengths)
        right = np.array([1.0 if not minus else 0.0 for _, minus in rows])
        return csr_array((signs, (row_of, columns)), shape=(len(rows), self.size)), right

    def solve(self, most: Floats, time_limit_s: float | None) -> OptimizeResult:
        """Maximise; `most` [limits] of each cost."""
        constraints = [LinearConstraint(self.equal, self.right, self.right)]
        for row, constant, limit in zip(self.costs, self.constants, most, strict=True):
            size = max(abs(limit - constant), 1e-12)  # rows on one scale, for tolerances are absolute
            constraints.append(LinearConstraint(csr_array(row[None] / size), -np.inf, (limit - constant) / size))
        whole = np.zeros(self.size)
        whole[: self.starts[-1]] = 1
        options = {"mip_rel_gap": 0.0} | ({} if time_limit_s is None else {"time_limit": time_limit_s})
        return milp(-self.gain, integrality=whole, bounds=Bounds(0, 1), constraints=constraints, options=options)

    def genotype(self, x: Floats) -> Genotype:
        """The value of each gene, [genes]."""
        pairs = zip(self.starts[:-1], self.starts[1:], strict=True)
        return np.array([int(x[low:high].argmax()) for low, high in pairs], dtype=np.int64)
