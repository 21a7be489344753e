"""Random search: the baseline every other strategy must beat."""

from __future__ import annotations

import numpy as np

from hwnas.search._base import Evaluated, SearchStrategy
from hwnas.spaces import Population, SearchSpace


class RandomStrategy(SearchStrategy):
    """Genotypes with uniform genes."""

    def __init__(self, space: SearchSpace, seed: int, batch: int = 100):
        self._space, self._batch = space, batch
        self._rng = np.random.default_rng(seed)

    def suggest(self) -> Population:
        """A fresh batch."""
        return self._space.sample(self._rng, self._batch)

    def update(self, evaluated: Evaluated) -> None:
        """Nothing to learn."""
