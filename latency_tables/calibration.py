"""From the sum of stand-alone ops to the milliseconds of a whole network, with an honest interval.

Stand-alone ops pay for layout changes at their edges and keep their weights in cache; whole networks do not.
Both are close to linear in (sum of ops, megabytes of weights), so a few whole networks are enough to fit it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from latency_tables.errors import HwnasError

Floats = NDArray[np.float64]

FEATURES = ("sum_ms", "weight_mb", "constant")
MINIMUM_NETWORKS = 10
_PRIOR_STRENGTH = 0.02


@dataclass(frozen=True)
class CalibrationNetwork:
    """A whole network that was measured: what the table sums to, its weights, what the device said."""

    arch: str
    sum_ms: float
    weight_mb: float
    measured_ms: float


@dataclass(frozen=True)
class Calibration:
    """ms = coefficients . (sum_ms, weight_mb, 1), and the conformal half width of the interval, relative."""

    coefficients: tuple[float, float, float]
    relative_half_width: float
    coverage: float
    networks: tuple[CalibrationNetwork, ...]

    def predict_ms(self, sum_ms: Floats, weight_mb: Floats) -> Floats:
        """Milliseconds of networks, shape [n], from the sums of their ops [n] and their weights [n]."""
        a, b, c = self.coefficients
        return a * sum_ms + b * weight_mb + c

    def bounds_ms(self, predicted_ms: Floats) -> tuple[Floats, Floats]:
        """Lower and upper end of the interval around predictions [n]."""
        return predicted_ms * (1 - self.relative_half_width), predicted_ms * (1 + self.relative_half_width)

    def corrected(self, network: CalibrationNetwork) -> Calibration:
        """Fit again with a network the device contradicted; its measured time is then inside the interval."""
        fitted = fit_calibration([*self.networks, network], self.coverage)
        predicted = float(fitted.predict_ms(np.array([network.sum_ms]), np.array([network.weight_mb]))[0])
        # The search picks what the model underestimates, so a contradicted winner may not hide in the 10 %.
        needed = abs(network.measured_ms / predicted - 1) * 1.001
        width = max(fitted.relative_half_width, self.relative_half_width, needed)
        return replace(fitted, relative_half_width=width)


def _matrix(networks: Sequence[CalibrationNetwork]) -> tuple[Floats, Floats]:
    features = np.array([[n.sum_ms, n.weight_mb, 1.0] for n in networks])
    return features, np.array([n.measured_ms for n in networks])


def _solve(features: Floats, measured_ms: Floats) -> Floats:
    """Least squares on relative errors, with a weak prior at "the sum is right": (1, 0, 0)."""
    typical = np.abs(features / measured_ms[:, None]).mean(axis=0) + 1e-12
    rows = np.vstack([features / measured_ms[:, None], np.diag(typical) * np.sqrt(_PRIOR_STRENGTH)])
    target = np.concatenate([np.ones(len(features)), np.array([typical[0], 0.0, 0.0]) * np.sqrt(_PRIOR_STRENGTH)])
    solution: Floats = np.linalg.lstsq(rows, target, rcond=None)[0]
    return solution


def fit_calibration(networks: Sequence[CalibrationNetwork], coverage: float = 0.9) -> Calibration:
    """Fit on measured networks; the interval is split-free conformal over leave-one-out residuals (jackknife+).

    Barber et al. 2021, "Predictive inference with the jackknife+". Raises `HwnasError` with fewer than
    `MINIMUM_NETWORKS` networks, or when a measurement is not a positive number.
    """
    if len(networks) < MINIMUM_NETWORKS:
        raise HwnasError(f"calibration needs at least {MINIMUM_NETWORKS} measured networks, got {len(networks)}")
    features, measured = _matrix(networks)
    if not (np.isfinite(features).all() and np.isfinite(measured).all() and (measured > 0).all()):
        raise HwnasError("calibration networks must have positive, finite latencies")
    a, b, c = _solve(features, measured)
    residuals = leave_one_out_residuals(networks)
    rank = min(ceil((len(residuals) + 1) * coverage), len(residuals))
    half_width = float(np.sort(np.abs(residuals))[rank - 1])
    return Calibration((float(a), float(b), float(c)), half_width, coverage, tuple(networks))


def leave_one_out_residuals(networks: Sequence[CalibrationNetwork]) -> Floats:
    """Relative residual (measured / predicted - 1) of each network under a fit on all the others, shape [n]."""
    features, measured = _matrix(networks)
    keep = ~np.eye(len(networks), dtype=bool)
    predicted = np.array([features[i] @ _solve(features[k], measured[k]) for i, k in enumerate(keep)])
    residuals: Floats = measured / predicted - 1
    return residuals
