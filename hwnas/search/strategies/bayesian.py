"""Bayesian optimisation: the upper confidence bound of a predictor, maximised over a pool of networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy.predictors import AdditiveGaussianProcess, DifferentiablePredictor
from hwnas.search.problem import Problem
from hwnas.search.strategies._predictor_strategy import PredictorStrategy
from hwnas.spaces import Population, SearchSpace, View

_POOL = 1000
_PARENTS = 10


class BayesianStrategy(PredictorStrategy):
    """GP-UCB (Srinivas et al. 2010). By default the Gaussian process knows `space.encode` alone: the plain baseline.

    The pool is the whole space where it can be listed, otherwise random networks and mutants of the best.
    """

    predictor: DifferentiablePredictor
    default_batch = 1

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        warm_start: Population | None = None,
        predictor: DifferentiablePredictor | None = None,
        initial: int | None = None,
        batch: int | None = None,
        optimism: float = 1.0,
    ):
        super().__init__(problem, seed=seed, warm_start=warm_start, predictor=predictor, initial=initial, batch=batch)
        self.optimism = optimism

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> DifferentiablePredictor:
        """One Gaussian process on the usual features."""
        return AdditiveGaussianProcess(space, [View("usual features", space.encode)])

    def propose(self) -> Population:
        """The pool's highest bounds."""
        pool = self.memory.pool(_POOL, _PARENTS)
        return pool[np.argsort(-self.bound(pool), kind="stable")[: self.batch]]

    def bound(self, population: Population) -> NDArray[np.float64]:
        """The upper confidence bound of genotypes [n, genes], [n], on the predictor's own scale."""
        mean, std = self.predictor.scores(population)
        return mean + self.optimism * std
