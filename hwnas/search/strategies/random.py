"""Random search: the baseline every other strategy must beat."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population


@dataclass(eq=False, kw_only=True)
class RandomStrategy(MemoryStrategy):
    """Networks with uniform genes, each suggested once."""

    batch: int = 100

    def choose(self) -> Population:
        """A fresh batch."""
        return self.memory.random_new(self.batch)
