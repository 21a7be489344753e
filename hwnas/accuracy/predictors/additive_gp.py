"""A Gaussian process with one kernel for each view of a network, and straight lines where a view is a trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from torch import Tensor

from hwnas.accuracy.predictors._differentiable import DifferentiablePredictor
from hwnas.accuracy.predictors._views import ScaledViews, distances
from hwnas.spaces import Population, SearchSpace, View
from latency_tables.arrays import Floats

_ROOT5 = 5**0.5
_JITTER = 1e-6
_LEAST, _MOST = (-6.0, -2.0, -6.0, -7.0), (3.0, 4.0, 3.0, 1.0)  # log variance, length, slope, noise
# Where logarithms of hyper-parameters are expected, and the deviations of all four. Lengths are in median distances
# between random networks; variances are shares of the labels', of which the kernels of all views together are expected
# to have all. Chosen once, on the CIFAR-10 validation accuracies of NAS-Bench-201.
_LENGTH, _NOISE, _DEVIATIONS = 0.5, -2.0, (2.0, 1.0, 2.0, 1.0)


@dataclass(frozen=True)
class _Hyper:
    """Variances and lengths of the k kernels, [k] each, slopes' variances of the t trends, [t], and of the noise."""

    variances: Floats
    lengths: Floats
    slopes: Floats
    noise: float


@dataclass(frozen=True)
class _Known:
    """The labels' networks, as kernels see them: distances [n, n] of each view, inner products of each trend."""

    distances: list[Floats]
    products: list[Floats]

    @classmethod
    def of(cls, views: list[Floats], trends: list[int]) -> _Known:
        """From features [n, f] of each view; products are those of what is left without the mean network."""
        centred = [views[i] - views[i].mean(axis=0) for i in trends]
        return cls([distances(v) for v in views], [c @ c.T for c in centred])


@dataclass(frozen=True)
class _Posterior:
    """Hyper-parameters, the labels' features, and what follows from them."""

    hyper: _Hyper
    known: Tensor
    weights: Tensor
    triangle: Tensor


class AdditiveGaussianProcess(DifferentiablePredictor):
    """A sum of Matern 5/2 kernels, one for each view of a network (`space.views` by default), and noise.

    A view that is a trend has a linear kernel too, through the mean of the labels' networks: so a search that has
    seen only poor networks still knows which way is up. Hyper-parameters maximise the posterior (Rasmussen & Williams
    2006, chapter 5), at most `steps` quasi-Newton steps from what is expected.
    """

    def __init__(self, space: SearchSpace, views: Sequence[View] | None = None, steps: int = 25):
        self.scaled, self.steps = ScaledViews(space, views), steps
        self._posterior: _Posterior | None = None

    @property
    def _trends(self) -> list[int]:
        return [i for i, view in enumerate(self.scaled.views) if view.trend]

    def learn(self, population: Population, scores: Floats) -> None:
        """Hyper-parameters, then the posterior of scores [n]."""
        views = self.scaled(population)
        known = _Known.of(views, self._trends)
        hyper = self._hyper(self._most_likely(known, scores) if np.ptp(scores) > 0 else self._expected())
        kernels = [*_kernels(hyper, known), hyper.noise * np.eye(len(scores))]
        triangle = np.linalg.cholesky(np.sum(kernels, axis=0))
        weights = cho_solve((triangle, True), scores)
        features = np.concatenate(views, axis=1)
        self._posterior = _Posterior(hyper, *map(torch.from_numpy, (features, weights, triangle)))

    def _expected(self) -> Floats:
        """Log variances and lengths of k kernels, log variances of t slopes, log noise, [2k + t + 1]."""
        shares = np.array([view.share for view in self.scaled.views])
        variance = np.log(shares / shares.sum())
        length = np.full(len(shares), _LENGTH)
        return np.concatenate([variance, length, variance[self._trends], [_NOISE]])

    def _each(self, values: Sequence[float]) -> Floats:
        """One value for each kind of hyper-parameter, repeated for each of the kind."""
        k, t = len(self.scaled.views), len(self._trends)
        return np.repeat(values, (k, k, t, 1))

    def _hyper(self, theta: Floats) -> _Hyper:
        k = len(self.scaled.views)
        variances, lengths, slopes, noise = np.split(np.exp(theta), (k, 2 * k, len(theta) - 1))
        return _Hyper(variances, lengths, slopes, float(noise[0]) + _JITTER)

    def _most_likely(self, known: _Known, scores: Floats) -> Floats:
        bounds = np.stack([self._each(_LEAST), self._each(_MOST)], axis=1)
        options, start = {"maxiter": self.steps}, self._expected()
        found = minimize(self._loss, start, (known, scores), "L-BFGS-B", jac=True, bounds=bounds, options=options)
        best: Floats = found.x
        return best

    def _loss(self, theta: Floats, known: _Known, scores: Floats) -> tuple[float, Floats]:
        """The negative logarithm of the posterior, up to a constant, with its gradient."""
        value, gradient = _negative_log_likelihood(self._hyper(theta), known, scores)
        off = (theta - self._expected()) / (deviations := self._each(_DEVIATIONS))
        return value + 0.5 * float(off @ off), gradient + off / deviations

    def features(self, population: Population) -> Tensor:
        """All views side by side, [n, f]."""
        return torch.from_numpy(self.scaled.joined(population))

    def latent(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Posterior mean and deviation of the network's own score, without the noise of one training."""
        self.require_fitted()
        assert self._posterior is not None
        fit, hyper, widths = self._posterior, self._posterior.hyper, self.scaled.widths
        mine, theirs = torch.split(features, widths, 1), torch.split(fit.known, widths, 1)
        cross = torch.zeros(len(features), len(fit.known), dtype=torch.float64)
        for here, known, variance, length in zip(mine, theirs, hyper.variances, hyper.lengths, strict=True):
            squares = (here * here).sum(1)[:, None] + (known * known).sum(1) - 2 * here @ known.T
            r = _ROOT5 / length * squares.clamp_min(1e-16).sqrt()
            cross = cross + variance * (1 + r + r * r / 3) * torch.exp(-r)
        prior = torch.full((len(features),), float(hyper.variances.sum()), dtype=torch.float64)
        for i, slope in zip(self._trends, hyper.slopes, strict=True):
            centre = theirs[i].mean(0)
            from_centre = mine[i] - centre
            cross = cross + slope * from_centre @ (theirs[i] - centre).T
            prior = prior + slope * (from_centre * from_centre).sum(1)
        half = torch.linalg.solve_triangular(fit.triangle, cross.T, upper=False)
        return cross @ fit.weights, (prior - (half * half).sum(0)).clamp_min(1e-12).sqrt()


def _kernels(hyper: _Hyper, known: _Known) -> list[Floats]:
    """Of the k views, then of the t trends, [n, n] each."""
    scaled = [_ROOT5 * d / length for d, length in zip(known.distances, hyper.lengths, strict=True)]
    near = [v * (1 + r + r * r / 3) * np.exp(-r) for v, r in zip(hyper.variances, scaled, strict=True)]
    return near + [slope * product for slope, product in zip(hyper.slopes, known.products, strict=True)]


def _negative_log_likelihood(hyper: _Hyper, known: _Known, scores: Floats) -> tuple[float, Floats]:
    """Up to a constant, with its gradient in the logarithms of all hyper-parameters."""
    kernels, identity = _kernels(hyper, known), np.eye(len(scores))
    factor = cho_factor(np.sum([*kernels, hyper.noise * identity], axis=0), lower=True)
    weights = cho_solve(factor, scores)
    pull = cho_solve(factor, identity) - weights[:, None] * weights
    in_lengths = []
    for variance, distance, length in zip(hyper.variances, known.distances, hyper.lengths, strict=True):
        r = _ROOT5 * distance / length
        in_lengths.append(variance * r * r * (1 + r) / 3 * np.exp(-r))
    k = len(in_lengths)
    changes = [*kernels[:k], *in_lengths, *kernels[k:], (hyper.noise - _JITTER) * identity]
    gradient = np.array([0.5 * (pull * change).sum() for change in changes])
    return float(0.5 * scores @ weights + np.log(np.diag(factor[0])).sum()), gradient
