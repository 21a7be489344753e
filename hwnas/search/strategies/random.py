"""Random search: the baseline every other strategy must beat."""

from __future__ import annotations

from hwnas.search.problem import Problem
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population


class RandomStrategy(MemoryStrategy):
    """Networks with uniform genes, each suggested once."""

    def __init__(self, problem: Problem, *, seed: int = 0, warm_start: Population | None = None, batch: int = 100):
        super().__init__(problem, seed=seed, warm_start=warm_start)
        self._batch = batch

    def choose(self) -> Population:
        """A fresh batch."""
        return self.memory.random_new(self._batch)
