"""Strategies that learn: random networks first, then what a predictor of everything seen makes shortlist."""

from __future__ import annotations

from abc import abstractmethod

from hwnas.accuracy import Predictor
from hwnas.search.problem import Problem
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
        problem: Problem,
        *,
        seed: int = 0,
        warm_start: Population | None = None,
        predictor: Predictor | None = None,
        initial: int | None = None,
        batch: int | None = None,
    ):
        super().__init__(problem, seed=seed, warm_start=warm_start)
        self.predictor = predictor or self.default_predictor(problem.space, seed)
        self.initial = self.default_initial if initial is None else initial
        self.batch = self.default_batch if batch is None else batch

    @staticmethod
    @abstractmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """The predictor that is used when none is given."""

    @abstractmethod
    def propose(self) -> Population:
        """New networks, the most promising first, [<= batch, genes], by the predictor just fitted on all seen."""

    def choose(self) -> Population:
        """The next networks; random ones when there is nothing to propose."""
        memory = self.memory
        if len(memory) < self.initial:
            return memory.random_new(min(self.batch, self.initial - len(memory)))
        self.predictor.fit(memory.population, memory.accuracy)
        proposed = self.propose()[: self.batch]
        return proposed if len(proposed) else memory.random_new(self.batch)
