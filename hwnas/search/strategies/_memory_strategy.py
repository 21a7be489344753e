"""Strategies that never ask twice and keep the budgets: a warm start first, then what each of them chooses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from hwnas.search.budget import Budget
from hwnas.search.problem import Evaluated, SearchStrategy
from hwnas.search.strategies._memory import Memory
from hwnas.search.strategies._warm_start import warm_started
from hwnas.spaces import Population, SearchSpace


class MemoryStrategy(SearchStrategy):
    """Asks about `warm_start` genotypes, brought inside the budgets, one by one; then about what it chooses itself."""

    def __init__(
        self, space: SearchSpace, seed: int, budgets: Sequence[Budget] = (), warm_start: Population | None = None
    ):
        self.memory = Memory(space, seed, budgets)
        self._waiting = warm_started(space, warm_start, budgets, self.memory.rng)

    def suggest(self) -> Population:
        """The next of the warm start, or the strategy's own choice."""
        return self._waiting[:1] if len(self._waiting) else self.choose()

    @abstractmethod
    def choose(self) -> Population:
        """The next genotypes to evaluate, new and inside the budgets, [n, genes]; raises `SpaceExhausted`."""

    def update(self, evaluated: Evaluated) -> None:
        """Remember what not to ask again."""
        self.memory.add(evaluated)
        if len(self._waiting):
            self._waiting = self.memory.new(self._waiting)
