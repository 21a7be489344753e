"""Strategies that never ask twice and keep the budgets: a warm start first, then what each of them chooses."""

from __future__ import annotations

from abc import abstractmethod

from hwnas.search.evaluated import Evaluated
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy
from hwnas.search.strategies._memory import Memory
from hwnas.search.strategies._warm_start import warm_started
from hwnas.spaces import Population


class MemoryStrategy(SearchStrategy):
    """Asks about `warm_start` genotypes, brought inside the budgets, one by one; then about what it chooses itself."""

    def __init__(self, problem: Problem, *, seed: int = 0, warm_start: Population | None = None):
        self.problem, self.space = problem, problem.space
        self.memory = Memory(problem, seed)
        self._waiting = warm_started(problem.space, warm_start, problem.budgets, self.memory.rng)

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
