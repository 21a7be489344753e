"""Predictors of accuracy from genotypes."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from hwnas.accuracy._base import AccuracyEstimate, Predictor
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats


class GaussianProcessPredictor(Predictor):
    """A Gaussian process (Matern 5/2 plus noise) on the space's own encoding; the noise is learned, not guessed."""

    def __init__(self, space: SearchSpace, seed: int = 0):
        self.space, self.seed = space, seed
        self._model: GaussianProcessRegressor | None = None
        self._mean, self._scale = 0.0, 1.0

    def fit(self, population: Population, accuracy: Floats) -> GaussianProcessPredictor:
        """Learn from genotypes [n, genes] and accuracies [n] in 0..1; constant accuracies are predicted as such."""
        features = self.space.encode(population)
        self._mean, self._scale = float(accuracy.mean()), max(float(accuracy.std()), 1e-6)
        length = np.sqrt(features.shape[1])
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern(length, (0.1 * length, 30 * length), nu=2.5)
        model = GaussianProcessRegressor(
            kernel + WhiteKernel(0.3, (1e-3, 3.0)), n_restarts_optimizer=1, random_state=self.seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length scale at its bound is an answer too
            self._model = model.fit(features, (accuracy - self._mean) / self._scale)
        return self

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Posterior mean and standard deviation of the network itself, without the measurement's noise."""
        if self._model is None:
            raise ValueError("fit the predictor before asking it")
        mean, std = self._model.predict(self.space.encode(population), return_std=True)
        noise = float(self._model.kernel_.k2.noise_level)
        own = np.sqrt(np.maximum(std**2 - noise, 1e-12))
        return AccuracyEstimate(self._mean + self._scale * mean, self._scale * own)
