"""Bayesian optimisation: the upper confidence bound of a predictor, maximised over a pool of networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.accuracy.predictors import AdditiveGaussianProcess, DifferentiablePredictor
from hwnas.search.budget import Budget
from hwnas.search.predictor_strategy import PredictorStrategy
from hwnas.spaces import Population, SearchSpace

_POOL = 1000
_PARENTS = 10


class BayesianStrategy(PredictorStrategy):
    """GP-UCB (Srinivas et al. 2010). By default the Gaussian process knows `space.encode` alone: the plain baseline.

    The pool is the whole space where it can be listed, otherwise random networks and mutants of the best.
    """

    predictor: DifferentiablePredictor

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        predictor: DifferentiablePredictor | None = None,
        budgets: Sequence[Budget] = (),
        initial: int = 10,
        batch: int = 1,
        optimism: float = 1.0,
    ):
        plain = AdditiveGaussianProcess(space, lambda population: (space.encode(population),))
        super().__init__(space, seed, predictor or plain, budgets, initial, batch)
        self.optimism = optimism

    def propose(self) -> Population:
        """The pool's highest bounds."""
        pool = self.memory.pool(_POOL, _PARENTS)
        return pool[np.argsort(-self.bound(pool), kind="stable")[: self.batch]]

    def bound(self, population: Population) -> NDArray[np.float64]:
        """The upper confidence bound of genotypes [n, genes], [n], on the predictor's own scale."""
        with torch.no_grad():
            mean, std = self.predictor.latent(self.predictor.features(population))
        return (mean + self.optimism * std).numpy()
