"""Regularised evolution (Real et al. 2019): tournaments, mutation, and the oldest dies."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population


@dataclass(eq=False, kw_only=True)
class EvolutionStrategy(MemoryStrategy):
    """The best of `tournament` among the youngest `population` networks has one new child."""

    population: int = 30
    tournament: int = 10

    def choose(self) -> Population:
        """Random networks until the population is full, then children."""
        memory = self.memory
        if len(memory) < self.population:
            return memory.random_new(1)
        alive = len(memory) - self.population
        drawn = alive + memory.rng.choice(self.population, min(self.tournament, self.population), replace=False)
        parent = drawn[memory.accuracy[drawn].argmax()]
        child = memory.mutants(memory.population[parent][None], 1)
        return child if len(child) else memory.random_new(1)
