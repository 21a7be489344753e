"""WeakNAS (Wu et al. 2021): a series of weak predictors, each trained on samples from the last one's favourites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import GradientBoostingPredictor
from hwnas.search.budget import Budget
from hwnas.search.predictor_strategy import PredictorStrategy
from hwnas.spaces import Population, SearchSpace

_POOL = 1000
_PARENTS = 10


class WeakNASStrategy(PredictorStrategy):
    """Samples `batch` networks at random from the `favourites` that the predictor puts first."""

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        predictor: Predictor | None = None,
        budgets: Sequence[Budget] = (),
        initial: int = 20,
        batch: int = 10,
        favourites: int = 100,
    ):
        super().__init__(space, seed, predictor or GradientBoostingPredictor(space, seed), budgets, initial, batch)
        self.favourites = favourites

    def propose(self) -> Population:
        """A sample of the favourites."""
        pool = self.memory.pool(_POOL, _PARENTS)
        first = np.argsort(-self.predictor.estimate(pool).mean, kind="stable")[: self.favourites]
        sample: Population = pool[self.memory.rng.permutation(first)[: self.batch]]
        return sample
