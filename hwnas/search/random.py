"""Random search: the baseline every other strategy must beat."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.search._base import Evaluated, SearchStrategy
from hwnas.search.budget import Budget
from hwnas.search.memory import Memory
from hwnas.spaces import Population, SearchSpace


class RandomStrategy(SearchStrategy):
    """Networks with uniform genes, each suggested once."""

    def __init__(self, space: SearchSpace, seed: int, batch: int = 100, budgets: Sequence[Budget] = ()):
        self._memory, self._batch = Memory(space, seed, budgets), batch

    def suggest(self) -> Population:
        """A fresh batch."""
        return self._memory.random_new(self._batch)

    def update(self, evaluated: Evaluated) -> None:
        """Remember what not to ask again."""
        self._memory.add(evaluated)
