"""Strategies that learn: random networks first, then what a predictor of everything seen makes shortlist."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from hwnas.accuracy import Predictor
from hwnas.search.budget import Budget
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population, SearchSpace


class PredictorStrategy(MemoryStrategy):
    """Suggests `initial` random networks, then `batch` at a time what `propose` finds with a fresh fit.

    A strategy of this kind says which predictor, how many to begin with and how many at a time are its own.
    """

    default_initial = 10
    default_batch = 10

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        predictor: Predictor | None = None,
        budgets: Sequence[Budget] = (),
        initial: int | None = None,
        batch: int | None = None,
        warm_start: Population | None = None,
    ):
        super().__init__(space, seed, budgets, warm_start)
        self.space, self.predictor = space, predictor or self.default_predictor(space, seed)
        self.initial = self.default_initial if initial is None else initial
        self.batch = self.default_batch if batch is None else batch

    @staticmethod
    @abstractmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """The predictor that is used when none is given."""

    @abstractmethod
    def propose(self) -> Population:
        """New networks, most hopeful first, [<= batch, genes], by the predictor just fitted on all that was seen."""

    def choose(self) -> Population:
        """The next networks; random ones when there is nothing to propose."""
        memory = self.memory
        if len(memory) < self.initial:
            return memory.random_new(min(self.batch, self.initial - len(memory)))
        self.predictor.fit(memory.population, memory.accuracy)
        proposed = self.propose()[: self.batch]
        return proposed if len(proposed) else memory.random_new(self.batch)
