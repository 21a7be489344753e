"""Random search: the baseline every other strategy must beat."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.search.budget import Budget
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population, SearchSpace


class RandomStrategy(MemoryStrategy):
    """Networks with uniform genes, each suggested once."""

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        batch: int = 100,
        budgets: Sequence[Budget] = (),
        warm_start: Population | None = None,
    ):
        super().__init__(space, seed, budgets, warm_start)
        self._batch = batch

    def choose(self) -> Population:
        """A fresh batch."""
        return self.memory.random_new(self._batch)
