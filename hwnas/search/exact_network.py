"""The exact best network within several budgets, where accuracy and costs are sums over few genes, with proof.

A mixed-integer programme of the multiple-choice knapsack, solved by HiGHS through scipy.
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
from hwnas.spaces import Genotype, SearchSpace
from hwnas.spaces.every import every_value, shape_of
from hwnas.spaces.factors import Factors, NotSeparable
from hwnas.spaces.gather import Genes

Floats = NDArray[np.float64]

_TIGHTER = 2e-6  # of a limit: twice what HiGHS may overstep it by
_INFEASIBLE = 2  # scipy's status


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
        if not tightened:
            bound = float(value.constant - solved.mip_dual_bound)
        arch = space.canonical(programme.genotype(solved.x)[None])
        if kept(budgets, arch)[0]:
            return ExactAnswer(arch[0], float(value(arch)[0]), bound)
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
        self.costs, self.constants = [self._row(c) for c in costs], [c.constant for c in costs]
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
