"""WeakNAS (Wu et al. 2021): a series of weak predictors, each trained on samples from the last one's favourites."""

from __future__ import annotations

import numpy as np

from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import GradientBoostingPredictor
from hwnas.search.strategies._predictor_strategy import PredictorStrategy
from hwnas.spaces import Population, SearchSpace

_FAVOURITES = 100
_POOL = 1000
_PARENTS = 10


class WeakNASStrategy(PredictorStrategy):
    """Samples `batch` networks at random from the hundred that the predictor puts first."""

    default_initial = 20

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """Boosted trees: weak, and quick to fit."""
        return GradientBoostingPredictor(space, seed)

    def propose(self) -> Population:
        """A sample of the favourites."""
        pool = self.memory.pool(_POOL, _PARENTS)
        first = np.argsort(-self.predictor.estimate(pool).mean, kind="stable")[:_FAVOURITES]
        sample: Population = pool[self.memory.rng.permutation(first)[: self.batch]]
        return sample
