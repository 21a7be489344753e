"""The exact best network within several budgets, where accuracy and costs are sums over few genes, with proof.

By a mixed-integer programme; what is no such sum is looked up for every network where all of a space can be listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.search.budget import Budget, InfeasibleBudget, feasible
from hwnas.search.exact.mixed_integer import INFEASIBLE, MixedIntegerProgramme
from hwnas.spaces import Genotype, Population, SearchSpace, every_network
from hwnas.spaces.genotypes import PRICEABLE
from latency_tables import HwnasError
from latency_tables.additive.factors import Factors, NotSeparable
from latency_tables.additive.hinged import Hinged
from latency_tables.arrays import Function

_TIGHTER = 2e-6  # of a limit's scale: twice what HiGHS may overstep it by


class OutOfTime(HwnasError):
    """Not a single network within the budgets was found in the time that was given."""


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
    space: SearchSpace, value: Function, budgets: Sequence[Budget] = (), time_limit_s: float | None = None
) -> ExactAnswer:
    """The most valuable network within every budget, with a bound on all others.

    `value` and the budgets' costs are `Factors` or `Hinged`, or any functions where the space is small enough to list.
    Raises `InfeasibleBudget` naming, for each budget, the least that any network costs; `NotSeparable` for another
    function of too many networks; `OutOfTime` when not a single network was found in `time_limit_s`.
    """
    try:
        functions = [_hinged(value, "is worth"), *(_hinged(b.cost, f"costs in {b.name}") for b in budgets)]
    except NotSeparable:
        if (every := every_network(space, PRICEABLE)) is None:
            raise
        return _best_of(every, space, value, budgets)
    programme = MixedIntegerProgramme(functions[0], functions[1:])
    limits, bound, tighter = [budget.limit for budget in budgets], np.inf, 0.0
    while True:
        solved = programme.solve(limits, tighter, time_limit_s)
        if solved.status == INFEASIBLE:
            raise _infeasible(space, budgets)
        if solved.x is None:
            raise OutOfTime(f"no network of {space.name} was found in {time_limit_s:g} s; give it more time")
        if not tighter:
            bound = float(functions[0].additive.constant - solved.mip_dual_bound)
        arch = programme.genotype(solved.x)[None]
        clean = space.canonical(arch)
        if feasible(budgets, clean)[0]:
            return ExactAnswer(clean[0], float(value(clean)[0]), bound)
        if feasible(budgets, arch)[0]:
            raise NotSeparable(f"a budget of {space.name} counts genes that have no effect on the network")
        tighter = max(2 * tighter, _TIGHTER)  # rounding overstepped a limit, and limits are hard


def cheapest(space: SearchSpace, cost: Function) -> Genotype:
    """The network [genes] of the lowest cost; raises `NotSeparable` as `best_network` does."""
    if isinstance(cost, Factors | Hinged):
        return best_network(space, cost.scaled(-1.0)).arch
    return best_network(space, lambda population: -cost(population)).arch


def _hinged(function: Function, name: str) -> Hinged:
    """A function as tables and hinges; raises `NotSeparable` where it is another one."""
    if isinstance(function, Hinged):
        return function
    if isinstance(function, Factors):
        return Hinged(function, ())
    raise NotSeparable(f"what a network {name} does not add up over its genes: search it instead")


def _best_of(every: Population, space: SearchSpace, value: Function, budgets: Sequence[Budget]) -> ExactAnswer:
    inside = every[feasible(budgets, every)]
    if not len(inside):
        raise _infeasible(space, budgets)
    values = value(inside)
    best = int(values.argmax())
    return ExactAnswer(inside[best], float(values[best]), float(values[best]))


def _infeasible(space: SearchSpace, budgets: Sequence[Budget]) -> InfeasibleBudget:
    least = []
    for budget in budgets:
        arch = cheapest(space, budget.cost)
        least.append(f"{space.to_text(arch)} has the fewest {budget.name}, {budget.cost(arch[None])[0]:.4g}")
    return InfeasibleBudget.of(space, budgets, "; ".join(least))
