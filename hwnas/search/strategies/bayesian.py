"""Bayesian optimisation: the upper confidence bound of a predictor, maximised over a pool of networks."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.accuracy.predictors import AdditiveGaussianProcess, DifferentiablePredictor
from hwnas.search.strategies._predictor_strategy import PredictorStrategy, best_first
from hwnas.spaces import Population, SearchSpace, View
from latency_tables.arrays import Floats

_POOL = 1000
_PARENTS = 10


@dataclass(eq=False, kw_only=True)
class BayesianStrategy(PredictorStrategy):
    """GP-UCB (Srinivas et al. 2010). By default the Gaussian process knows `space.encode` alone: the plain baseline.

    The pool is the whole space where it can be listed, otherwise random networks and mutants of the best.
    """

    predictor: DifferentiablePredictor = None  # type: ignore[assignment]
    batch: int = 1
    optimism: float = 1.0

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> DifferentiablePredictor:
        """One Gaussian process on the usual features."""
        return AdditiveGaussianProcess(space, [View("usual features", space.encode)])

    def propose(self) -> Population:
        """The pool's highest bounds."""
        return best_first(self.memory.pool(_POOL, _PARENTS), self.bound)

    def bound(self, population: Population) -> Floats:
        """The upper confidence bound of genotypes [n, genes], [n], on the predictor's own scale."""
        mean, std = self.predictor.scores(population)
        return mean + self.optimism * std
