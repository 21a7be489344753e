"""A Gaussian process with one kernel for each view of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from torch import Tensor

from hwnas.accuracy._base import Floats
from hwnas.accuracy.predictors._differentiable import DifferentiablePredictor
from hwnas.accuracy.predictors._views import Encodings, ScaledViews, distances
from hwnas.spaces import Population, SearchSpace

_ROOT5 = 5**0.5
_JITTER = 1e-6
_LEAST, _MOST = (-6.0, -2.0, -7.0), (3.0, 4.0, 1.0)  # log variance, log length, log noise


@dataclass(frozen=True)
class KernelPriors:
    """Where logarithms of hyper-parameters are expected, and their deviations: variance, length, noise.

    Lengths are in median distances between random networks of the space; variances are shares of the labels', of
    which the kernels together are expected to have all. Chosen once, on the CIFAR-10 validation accuracies of
    NAS-Bench-201.
    """

    length: float = 0.5
    noise: float = -3.0
    deviations: tuple[float, float, float] = (2.0, 1.0, 1.0)


@dataclass(frozen=True)
class _Posterior:
    """Log variances and log lengths of the k kernels, log noise; the labels' features, and what follows from them."""

    theta: Floats
    known: Tensor
    weights: Tensor
    triangle: Tensor


class AdditiveGaussianProcess(DifferentiablePredictor):
    """A sum of Matern 5/2 kernels, one for each view of a network (`space.encodings` by default), and noise.

    Hyper-parameters maximise the posterior (Rasmussen & Williams 2006, chapter 5), at most `steps` quasi-Newton steps
    from those of the last fit.
    """

    def __init__(
        self,
        space: SearchSpace,
        encodings: Encodings | None = None,
        priors: KernelPriors | None = None,
        steps: int = 25,
    ):
        self.views, self.priors, self.steps = ScaledViews(space, encodings), priors or KernelPriors(), steps
        self._posterior: _Posterior | None = None

    def learn(self, population: Population, scores: Floats) -> None:
        """Hyper-parameters, then the posterior of scores [n]."""
        views = self.views(population)
        apart = [distances(v) for v in views]
        theta = self._expected(len(views))
        if np.ptp(scores) > 0:
            theta = self._most_likely(apart, scores)
        triangle = np.linalg.cholesky(sum(_kernels(theta, apart)) + _noise(theta) * np.eye(len(scores)))
        weights = cho_solve((triangle, True), scores)
        known = np.concatenate(views, axis=1)
        self._posterior = _Posterior(theta, *map(torch.from_numpy, (known, weights, triangle)))

    def _expected(self, k: int) -> Floats:
        return np.array([-np.log(k)] * k + [self.priors.length] * k + [self.priors.noise])

    def _most_likely(self, apart: list[Floats], scores: Floats) -> Floats:
        k = len(apart)
        times = (k, k, 1)
        start = self._expected(k)
        low, high = np.repeat(_LEAST, times), np.repeat(_MOST, times)
        args = (apart, scores, start, np.repeat(self.priors.deviations, times))
        bounds = np.stack([low, high], axis=1)
        options = {"maxiter": self.steps}
        found = minimize(_negative_log_posterior, start, args, "L-BFGS-B", jac=True, bounds=bounds, options=options)
        best: Floats = found.x
        return best

    def features(self, population: Population) -> Tensor:
        """All views side by side, [n, f]."""
        return torch.from_numpy(self.views.joined(population))

    def latent(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and deviation of the network's own score, without the noise of one training."""
        self.require_fitted()
        assert self._posterior is not None
        fit, widths = self._posterior, self.views.widths
        variances, lengths = np.exp(fit.theta[: len(widths)]), np.exp(fit.theta[len(widths) : -1])
        cross = torch.zeros(len(features), len(fit.known), dtype=torch.float64)
        pairs = zip(
            torch.split(features, widths, 1), torch.split(fit.known, widths, 1), variances, lengths, strict=True
        )
        for mine, theirs, variance, length in pairs:
            squares = (mine * mine).sum(1)[:, None] + (theirs * theirs).sum(1) - 2 * mine @ theirs.T
            r = _ROOT5 / length * squares.clamp_min(1e-16).sqrt()
            cross = cross + variance * (1 + r + r * r / 3) * torch.exp(-r)
        half = torch.linalg.solve_triangular(fit.triangle, cross.T, upper=False)
        spread = variances.sum() - (half * half).sum(0)
        return cross @ fit.weights, spread.clamp_min(1e-12).sqrt()


def _kernels(theta: Floats, apart: list[Floats]) -> list[Floats]:
    k = len(apart)
    scaled = [_ROOT5 * d / np.exp(length) for d, length in zip(apart, theta[k : 2 * k], strict=True)]
    return [np.exp(v) * (1 + r + r * r / 3) * np.exp(-r) for v, r in zip(theta[:k], scaled, strict=True)]


def _noise(theta: Floats) -> float:
    return float(np.exp(theta[-1])) + _JITTER


def _negative_log_posterior(
    theta: Floats, apart: list[Floats], scores: Floats, expected: Floats, deviations: NDArray[np.float64]
) -> tuple[float, Floats]:
    """Up to a constant, with its gradient."""
    k, identity = len(apart), np.eye(len(scores))
    kernels = _kernels(theta, apart)
    factor = cho_factor(sum(kernels) + _noise(theta) * identity, lower=True)
    weights = cho_solve(factor, scores)
    pull = cho_solve(factor, identity) - weights[:, None] * weights
    off = (theta - expected) / deviations
    value = 0.5 * scores @ weights + np.log(np.diag(factor[0])).sum() + 0.5 * off @ off
    gradient = off / deviations
    for i, (kernel, distance) in enumerate(zip(kernels, apart, strict=True)):
        r = _ROOT5 * distance / np.exp(theta[k + i])
        in_length = np.exp(theta[i]) * r * r * (1 + r) / 3 * np.exp(-r)
        gradient[[i, k + i]] += 0.5 * (pull * kernel).sum(), 0.5 * (pull * in_length).sum()
    gradient[-1] += 0.5 * np.exp(theta[-1]) * np.trace(pull)
    return float(value), gradient
