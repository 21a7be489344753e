"""Hard limits on what a network may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces import Population, SearchSpace
from latency_tables import HwnasError, LatencyModel
from latency_tables.arrays import Floats, Function


class InfeasibleBudget(HwnasError):
    """No network of the space is that cheap; the message names the cheapest one and what it costs.

    `least_ms` is the upper bound of the fastest network, where milliseconds were the matter.
    """

    least_ms: float = float("inf")

    @classmethod
    def of(
        cls, space: SearchSpace, budgets: Sequence[Budget], nearest: str, least_ms: float = float("inf")
    ) -> InfeasibleBudget:
        """The message for people, with what is `nearest` to the budgets."""
        limits = " and ".join(f"{budget.limit:g} {budget.name}" for budget in budgets)
        refusal = cls(f"no network of {space.name} fits {limits}: {nearest}; give a larger budget")
        refusal.least_ms = least_ms
        return refusal


@dataclass(frozen=True)
class Budget:
    """`cost` of genotypes [n, genes], [n], must not be above `limit`. `name` is the unit: "ms", "MACs", ..."""

    name: str
    limit: float
    cost: Function

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
