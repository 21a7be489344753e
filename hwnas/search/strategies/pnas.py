"""Sequential search by growing complexity (Liu et al. 2018, "Progressive neural architecture search")."""

from __future__ import annotations

import numpy as np

from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import MLPEnsemble
from hwnas.search.strategies._predictor_strategy import PredictorStrategy, best_first
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

_BEAM = 10
_CANDIDATES = 200


class PNASStrategy(PredictorStrategy):
    """Begins with the networks of fewest ops and allows more every `batch` networks; the predictor ranks what grew.

    The complexity of a network is the number of slots that add ops: blocks of a chain, edges of a cell.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._adds = [np.array([float(len(ops) > 0) for ops in slot.options]) for slot in self.space.slots]
        self._levels = np.unique(self.complexity(self.memory.random_new(500)))
        self._level = 0

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """Perceptrons on every view of the space."""
        return MLPEnsemble(space, seed)

    def complexity(self, population: Population) -> Floats:
        """How many slots of genotypes [n, genes] add ops, [n]."""
        return self.space.layout.gathered(self._adds, population)

    def choose(self) -> Population:
        """The least complex networks first."""
        if len(self.memory) < self.initial:
            drawn = best_first(self.memory.random_new(_CANDIDATES), lambda archs: -self.complexity(archs))
            return drawn[: min(self.batch, self.initial - len(self.memory))]
        self._level = min(self._level + 1, len(self._levels) - 1)
        return super().choose()

    def propose(self) -> Population:
        """Mutants of the best that are as complex as is allowed by now, by predicted accuracy."""
        pool = self.memory.pool(_CANDIDATES, _BEAM)
        return best_first(pool[self.complexity(pool) <= self._levels[self._level]], self.predicted)
