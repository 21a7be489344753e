"""BANANAS (White et al. 2021): an ensemble of perceptrons, mutants of the best, independent Thompson sampling."""

from __future__ import annotations

from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import MLPEnsemble
from hwnas.search.strategies._predictor_strategy import PredictorStrategy, best_first
from hwnas.spaces import Population, SearchSpace, View
from latency_tables.arrays import Floats

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
        return best_first(self.memory.mutants(self.memory.best(_PARENTS), _CANDIDATES), self._drawn)

    def _drawn(self, candidates: Population) -> Floats:
        belief = self.predictor.estimate(candidates)
        return belief.mean + belief.std * self.memory.rng.standard_normal(len(candidates))
