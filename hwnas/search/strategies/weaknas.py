"""WeakNAS (Wu et al. 2021): a series of weak predictors, each trained on samples from the last one's favourites."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import GradientBoostingPredictor
from hwnas.search.strategies._predictor_strategy import PredictorStrategy, best_first
from hwnas.spaces import Population, SearchSpace

_FAVOURITES = 100
_POOL = 1000
_PARENTS = 10


@dataclass(eq=False, kw_only=True)
class WeakNASStrategy(PredictorStrategy):
    """Samples `batch` networks at random from the hundred that the predictor puts first."""

    initial: int = 20

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """Boosted trees: weak, and quick to fit."""
        return GradientBoostingPredictor(space, seed)

    def propose(self) -> Population:
        """A sample of the favourites."""
        favourites = best_first(self.memory.pool(_POOL, _PARENTS), self.predicted)[:_FAVOURITES]
        return self.memory.rng.permutation(favourites)
