"""BANANAS (White et al. 2021): an ensemble of perceptrons, mutants of the best, independent Thompson sampling."""

from __future__ import annotations

import numpy as np

from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import MLPEnsemble
from hwnas.search.strategies._predictor_strategy import PredictorStrategy
from hwnas.spaces import Population, SearchSpace, View

_PARENTS = 10
_CANDIDATES = 100


class BananasStrategy(PredictorStrategy):
    """Every candidate draws one accuracy from what the ensemble believes of it; the best draws are suggested."""

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """Perceptrons on the space's usual features."""
        return MLPEnsemble(space, seed, views=[View("usual features", space.encode)])

    def propose(self) -> Population:
        """Mutants of the best networks seen, by their draws."""
        memory = self.memory
        candidates = memory.mutants(memory.best(_PARENTS), _CANDIDATES)
        if not len(candidates):
            return candidates
        belief = self.predictor.estimate(candidates)
        draws = belief.mean + belief.std * memory.rng.standard_normal(len(candidates))
        return candidates[np.argsort(-draws, kind="stable")[: self.batch]]
