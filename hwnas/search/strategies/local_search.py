"""Local search (White et al. 2020, "Local search is state of the art for NAS benchmarks")."""

from __future__ import annotations

from hwnas.search.evaluated import Evaluated
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Genotype, Population


class LocalSearchStrategy(MemoryStrategy):
    """Asks the neighbours of the best network so far in random order, moves at the first that is better.

    A network that is better than all its neighbours ends a climb; the next begins at a random network. Data that it
    observes moves the climb to the best network inside the budgets, where that is better.
    """

    _here: tuple[float, Genotype] | None = None

    def choose(self) -> Population:
        """One neighbour not seen before, or a new start."""
        if self._here is not None:
            around = self.memory.new(self.space.neighbours(self._here[1]))
            if len(around):
                chosen: Population = around[self.memory.rng.integers(len(around))][None]
                return chosen
            self._here = None
        return self.memory.random_new(1)

    def observe(self, evaluated: Evaluated) -> None:
        """Move where it is better."""
        super().observe(evaluated)
        best = self.problem.best(evaluated)
        if len(best) and (self._here is None or best.accuracy[0] > self._here[0]):
            self._here = float(best.accuracy[0]), self.space.canonical(best.population)[0]
