"""From the sum of stand-alone ops to the milliseconds of a whole network, with an honest interval.

A stand-alone op pays for a session call and for layout changes at its edges; its weights stay in cache. In a network
an op pays for neither, but weights stream in, the more so the less of them fit. All of that is smooth in the sum of
ops, the number of ops and the megabytes of weights, so a few whole networks are enough to learn it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from latency_tables.errors import HwnasError

Floats = NDArray[np.float64]

MINIMUM_NETWORKS = 10
_PRIOR_STRENGTH = 0.02

# From plain to rich. More terms must earn their place on networks left out of the fit.
TERMS: tuple[tuple[str, ...], ...] = (
    ("sum_ms", "constant"),
    ("sum_ms", "weight_mb", "constant"),
    ("sum_ms", "weight_mb", "ops", "constant"),
    ("sum_ms", "weight_mb", "ops", "weight_mb_squared", "constant"),
)
_WORTH_A_TERM = 0.97  # a richer model must have at most this share of the plainer one's error


@dataclass(frozen=True)
class NetworkFeatures:
    """What the table knows of whole networks, each [n]: sum of ops in ms, megabytes of weights, number of ops."""

    sum_ms: Floats
    weight_mb: Floats
    ops: Floats

    def matrix(self, terms: Sequence[str]) -> Floats:
        """Columns of the named terms, [n, terms]."""
        columns = {
            "sum_ms": self.sum_ms,
            "weight_mb": self.weight_mb,
            "ops": self.ops,
            "weight_mb_squared": self.weight_mb**2,
            "constant": np.ones_like(self.sum_ms),
        }
        return np.column_stack([columns[term] for term in terms])


@dataclass(frozen=True)
class CalibrationNetwork:
    """A whole network that was measured: what the table knows of it, and what the device said.

    `contradicted`: the model had promised a budget that the device did not confirm; see `Calibration.corrected`.
    """

    arch: str
    sum_ms: float
    weight_mb: float
    ops: float
    measured_ms: float
    contradicted: bool = False


@dataclass(frozen=True)
class Calibration:
    """ms = coefficients . terms, and the conformal half width of the interval, relative to the prediction."""

    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    relative_half_width: float
    coverage: float
    networks: tuple[CalibrationNetwork, ...]

    def predict_ms(self, features: NetworkFeatures) -> Floats:
        """Milliseconds of networks, shape [n]."""
        ms: Floats = features.matrix(self.terms) @ np.array(self.coefficients)
        return ms

    def bounds_ms(self, predicted_ms: Floats) -> tuple[Floats, Floats]:
        """Lower and upper end of the interval around predictions [n]."""
        return predicted_ms * (1 - self.relative_half_width), predicted_ms * (1 + self.relative_half_width)

    def corrected(self, network: CalibrationNetwork) -> Calibration:
        """Fit again with a network the device contradicted; its measured time is then inside the interval."""
        fitted = fit_calibration([*self.networks, replace(network, contradicted=True)], self.coverage)
        # The search picks what the model underestimates, so no contradicted winner may hide in the 10 %.
        against = [n for n in fitted.networks if n.contradicted]
        measured_ms = np.array([n.measured_ms for n in against])
        needed = float(np.abs(measured_ms / fitted.predict_ms(features_of(against)) - 1).max()) * 1.001
        width = max(fitted.relative_half_width, self.relative_half_width, needed)
        return replace(fitted, relative_half_width=width)


def features_of(networks: Sequence[CalibrationNetwork]) -> NetworkFeatures:
    """The features of measured networks."""
    columns = np.array([[n.sum_ms, n.weight_mb, n.ops] for n in networks], dtype=np.float64).T
    return NetworkFeatures(*columns)


def _solve(matrix: Floats, measured_ms: Floats) -> Floats:
    """Least squares on relative errors, with a weak prior at "the sum is right": (1, 0, ..., 0)."""
    typical = np.abs(matrix / measured_ms[:, None]).mean(axis=0) + 1e-12
    strength = float(np.sqrt(_PRIOR_STRENGTH))
    rows = np.vstack([matrix / measured_ms[:, None], np.diag(typical) * strength])
    target = np.concatenate([np.ones(len(matrix)), [typical[0] * strength], np.zeros(len(typical) - 1)])
    solution: Floats = np.linalg.lstsq(rows, target, rcond=None)[0]
    return solution


def leave_one_out_residuals(matrix: Floats, measured_ms: Floats) -> Floats:
    """Relative residual (measured / predicted - 1) of each network under a fit on all the others, shape [n]."""
    keep = ~np.eye(len(matrix), dtype=bool)
    predicted = np.array([matrix[i] @ _solve(matrix[k], measured_ms[k]) for i, k in enumerate(keep)])
    residuals: Floats = measured_ms / predicted - 1
    return residuals


def fit_calibration(networks: Sequence[CalibrationNetwork], coverage: float = 0.9) -> Calibration:
    """Fit on measured networks: the plainest terms that no richer ones clearly beat on networks left out.

    The interval is conformal over the leave-one-out residuals (Barber et al. 2021, "Predictive inference with the
    jackknife+"). Raises `HwnasError` with fewer than `MINIMUM_NETWORKS` networks or a latency that is not positive.
    """
    if len(networks) < MINIMUM_NETWORKS:
        raise HwnasError(f"calibration needs at least {MINIMUM_NETWORKS} measured networks, got {len(networks)}")
    features, measured = features_of(networks), np.array([n.measured_ms for n in networks])
    if not (np.isfinite(features.matrix(TERMS[-1])).all() and np.isfinite(measured).all() and (measured > 0).all()):
        raise HwnasError("calibration networks must have positive, finite latencies")
    terms, residuals = TERMS[0], leave_one_out_residuals(features.matrix(TERMS[0]), measured)
    for richer in TERMS[1:]:
        others = leave_one_out_residuals(features.matrix(richer), measured)
        if np.abs(others).mean() <= _WORTH_A_TERM * np.abs(residuals).mean():
            terms, residuals = richer, others
    rank = min(ceil((len(residuals) + 1) * coverage), len(residuals))
    half_width = float(np.sort(np.abs(residuals))[rank - 1])
    solution = _solve(features.matrix(terms), measured)
    return Calibration(terms, tuple(map(float, solution)), half_width, coverage, tuple(networks))
