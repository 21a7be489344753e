"""Strategies that never ask twice and keep the budgets: a warm start first, then what each of them chooses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from hwnas.search.evaluated import Evaluated
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy
from hwnas.search.strategies._memory import Memory
from hwnas.spaces import Population


@dataclass(eq=False, kw_only=True)
class MemoryStrategy(SearchStrategy):
    """Asks about `warm_start` genotypes, brought inside the budgets, one by one; then about what it chooses itself.

    A strategy with options of its own is a dataclass too, and they are its fields.
    """

    problem: Problem = field(kw_only=False)
    seed: int = 0
    warm_start: Population | None = None

    def __post_init__(self) -> None:
        self.space = self.problem.space
        self.memory = Memory(self.problem, self.seed)
        self._waiting = self.memory.warm_started(self.warm_start)

    def suggest(self) -> Population:
        """The next of the warm start, or the strategy's own choice."""
        return self._waiting[:1] if len(self._waiting) else self.choose()

    @abstractmethod
    def choose(self) -> Population:
        """The next genotypes to evaluate, new and inside the budgets, [n, genes]; raises `SpaceExhausted`."""

    def update(self, evaluated: Evaluated) -> None:
        """As `observe`: what it asked for is data like any other."""
        self.observe(evaluated)

    def observe(self, evaluated: Evaluated) -> None:
        """Remember, so as not to ask again."""
        self.memory.add(evaluated)
        if len(self._waiting):
            self._waiting = self.memory.new(self._waiting)
