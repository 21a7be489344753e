"""The best network of an additive model of accuracy, exactly, refitted after every answer.

Where accuracy is nearly a sum over choices, few answers fit the model and no search is left to do: the network that
maximises it within the budgets is known with proof. That network is asked about, and the model is fitted again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hwnas.accuracy.predictors import AdditivePredictor
from hwnas.search.adjust import hamming_budget
from hwnas.search.budget import Budget, InfeasibleBudget
from hwnas.search.exact.network import best_network
from hwnas.search.strategies._predictor_strategy import PredictorStrategy, best_first
from hwnas.spaces import Genotype, Population, SearchSpace
from latency_tables.additive.factors import Factors, NotSeparable


@dataclass(eq=False, kw_only=True)
class ExactStrategy(PredictorStrategy):
    """Suggests the best network by the model that has not been seen; with `batch`, the best ones in order.

    A network that was seen is excluded by one more budget, the number of genes changed from it, and the solver
    is asked for the next best; a space that can be listed is looked up instead. Raises `NotSeparable` for other spaces
    whose slots follow too many genes for tables, and for budgets that are no sums over genes.
    """

    predictor: AdditivePredictor = field(default=None, init=False)  # type: ignore[assignment]
    batch: int = 1
    _excluded: list[Budget] = field(default_factory=list, init=False)

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> AdditivePredictor:
        """What each choice adds: nothing else can be maximised exactly."""
        return AdditivePredictor(space)

    def propose(self) -> Population:
        """The best networks by the model just fitted, each seen for the first time."""
        if (left := self.memory.all_new()) is not None:
            return best_first(left, self.predicted)
        value, found = self.predictor.factors, list[Genotype]()
        while len(found) < self.batch:
            try:
                arch = best_network(self.space, value, [*self.problem.budgets, *self._excluded]).arch
            except InfeasibleBudget:  # all are excluded, or there never was one: a random draw will tell
                break
            if len(self.memory.new(arch[None])):
                found.append(arch)
            self._excluded.append(_other_than(self.space, arch))
        return np.array(found, dtype=np.int64).reshape(-1, len(self.space.cardinalities))


def _other_than(space: SearchSpace, arch: Genotype) -> Budget:
    """A budget that every network keeps but `arch` [genes]: at least one gene changed."""
    changed = hamming_budget(space, arch, 1).cost
    if not isinstance(changed, Factors):
        raise NotSeparable(f"a slot of {space.name} follows too many genes together: search it with another strategy")
    return Budget("genes unchanged", -1.0, changed.scaled(-1.0))
