"""Local search (White et al. 2020, "Local search is state of the art for NAS benchmarks")."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.search.budget import Budget
from hwnas.search.problem import Evaluated
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Genotype, Population, SearchSpace


class LocalSearchStrategy(MemoryStrategy):
    """Asks the neighbours of the best network so far in random order, moves at the first that is better.

    A network that is better than all its neighbours ends a climb; the next begins at a random network.
    """

    def __init__(
        self, space: SearchSpace, seed: int, budgets: Sequence[Budget] = (), warm_start: Population | None = None
    ):
        super().__init__(space, seed, budgets, warm_start)
        self.space = space
        self._here: tuple[float, Genotype] | None = None

    def choose(self) -> Population:
        """One neighbour not seen before, or a new start."""
        if self._here is not None:
            around = self.memory.new(self.space.neighbours(self._here[1]))
            if len(around):
                chosen: Population = around[self.memory.rng.integers(len(around))][None]
                return chosen
            self._here = None
        return self.memory.random_new(1)

    def update(self, evaluated: Evaluated) -> None:
        """Move where it is better."""
        super().update(evaluated)
        accuracy, arch = float(evaluated.accuracy[0]), evaluated.population[0]
        if self._here is None or accuracy > self._here[0]:
            self._here = accuracy, arch
