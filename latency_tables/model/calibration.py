"""From the sum of stand-alone ops to the milliseconds of a whole network, with an honest interval.

A stand-alone op pays for a session call and for layout changes at its edges; its weights stay in cache. In a network
an op pays for neither, but weights stream in, the more so the less of them fit. All of that is smooth in the sum of
ops, the number of ops and the megabytes of weights, and what is left is mostly the sort of op, and a little each single
op: so a few dozen whole networks are enough to learn it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from latency_tables.arrays import Floats
from latency_tables.errors import HwnasError
from latency_tables.model.features import ONE_OP, TOTALS, Features

MINIMUM_NETWORKS = 10
COVERAGE = 0.9
_WEAK = 0.02  # strength of the prior on plain terms: only there to keep a fit on few networks from running away
# On sorts of op and on single ops, tried in turn: the weaker, the more each may correct.
_SORT_STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01)
_OP_STRENGTHS = (1.0, 0.3, 0.1)

# Where the price of a megabyte may change: caches fill up somewhere, and where is the device's affair.
_KNEES_AT = (0.5, 0.25, 0.75)  # quantiles of the calibration networks' weights
KNEES = tuple(f"weight_mb_over_knee_{i + 1}" for i in range(len(_KNEES_AT)))

# From plain to rich. More terms must earn their place on networks left out of the fit.
TERMS: tuple[tuple[str, ...], ...] = (
    ("sum_ms", "constant"),
    ("sum_ms", "weight_mb", "constant"),
    ("sum_ms", "weight_mb", "ops", "constant"),
    ("sum_ms", "weight_mb", "ops", KNEES[0], "constant"),
    ("sum_ms", "weight_mb", "ops", *KNEES, "constant"),
)
_FOLDS = 10
_NETWORKS_A_TERM = 3
_NETWORKS_FOR_SORTS = 30
_WORTH_A_TERM = 0.97  # a richer model must have at most this share of the plainer one's error


def term_matrix(features: Features, terms: Sequence[str], knees_mb: Sequence[float] = ()) -> Floats:
    """Columns of the named terms, [n, terms]: columns of the features, megabytes over a knee, or `constant`."""
    made = {"constant": np.ones(len(features))}
    made |= {name: np.maximum(features["weight_mb"] - knee, 0) for name, knee in zip(KNEES, knees_mb, strict=False)}
    return np.column_stack([made[term] if term in made else features[term] for term in terms])


@dataclass(frozen=True)
class MeasuredNetworks:
    """Whole networks: what the table knows of them and what the device said, [n] each.

    `contradicted`: the model had promised a budget that the device did not confirm; see `Calibration.corrected`.
    """

    features: Features
    measured_ms: Floats
    contradicted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.measured_ms)

    def rows(self, index: slice) -> MeasuredNetworks:
        """Some of the networks."""
        return MeasuredNetworks(self.features.rows(index), self.measured_ms[index], self.contradicted[index])


@dataclass(frozen=True)
class Calibration:
    """ms = coefficients . terms, and the conformal half width of the interval, relative to the prediction.

    `knees_mb`: megabytes of weights at which their price changes. `residuals`: measured / predicted - 1 of each network
    by a model that has not seen it, [n].
    """

    terms: tuple[str, ...]
    coefficients: tuple[float, ...]
    relative_half_width: float
    networks: MeasuredNetworks | None = field(default=None, compare=False)
    residuals: Floats = field(default_factory=lambda: np.empty(0), compare=False)
    knees_mb: tuple[float, ...] = ()

    @property
    def mape_pct(self) -> float:
        """Mean absolute error on networks left out, in percent; NaN when there are none."""
        return float(np.abs(self.residuals).mean() * 100) if len(self.residuals) else float("nan")

    def coefficient(self, term: str) -> float:
        """What one unit of a term costs; 0 for one that is not used."""
        return dict(zip(self.terms, self.coefficients, strict=True)).get(term, 0.0)

    def additive(self, names: Sequence[str]) -> Floats:
        """What one unit of each column costs in ms, [len(names)]; all but the constant and what is over a knee."""
        known = dict(zip(self.terms, self.coefficients, strict=True))
        return np.array([known.get(name, 0.0) for name in names])

    def predict_ms(self, features: Features) -> Floats:
        """Milliseconds of networks, shape [n]."""
        ms: Floats = term_matrix(features, self.terms, self.knees_mb) @ np.array(self.coefficients)
        return ms

    def corrected(self, features: Features, measured_ms: float) -> Calibration:
        """Fit again with a network [1] the device contradicted; its measured time is then inside the interval."""
        if self.networks is None:
            raise HwnasError("a calibration without its networks cannot be corrected; calibrate again")
        known = MeasuredNetworks(
            self.networks.features.with_rows(features),
            np.append(self.networks.measured_ms, measured_ms),
            np.append(self.networks.contradicted, True),
        )
        fitted = _fit(known)
        # The search picks what the model underestimates, so no contradicted winner may hide in the 10 %.
        against = np.flatnonzero(known.contradicted)
        promised = fitted.predict_ms(known.features.rows(against))
        needed = float(np.abs(known.measured_ms[against] / promised - 1).max()) * 1.001
        width = max(fitted.relative_half_width, self.relative_half_width, needed)
        return replace(fitted, relative_half_width=width)


def fit_calibration(features: Features, measured_ms: Floats) -> Calibration:
    """Fit on measured networks [n] the model with the smallest squared error on networks left out.

    Least squares on relative errors: the plainest of `TERMS` that no richer ones clearly beat, or all of them with
    corrections for sorts of op and for single ops, held to small values by priors of several strengths. The interval is
    conformal over the residuals of networks whose fold took no part in the choice and the fit (Barber et al. 2021,
    "Predictive inference with the jackknife+", CV+). Raises `HwnasError` with fewer than `MINIMUM_NETWORKS` networks or
    a latency that is not positive.
    """
    measured = np.asarray(measured_ms, dtype=np.float64)
    return _fit(MeasuredNetworks(features, measured, np.zeros(len(measured), dtype=bool)))


def _fit(networks: MeasuredNetworks) -> Calibration:
    features, measured = networks.features, networks.measured_ms
    if len(networks) < MINIMUM_NETWORKS:
        raise HwnasError(f"calibration needs at least {MINIMUM_NETWORKS} measured networks, got {len(networks)}")
    if not (np.isfinite(features.values).all() and np.isfinite(measured).all() and (measured > 0).all()):
        raise HwnasError("calibration networks must have positive, finite latencies")
    best, residuals = _chosen(features, measured), _cross_validated(features, measured)
    rank = min(ceil((len(residuals) + 1) * COVERAGE), len(residuals))
    half_width = float(np.sort(np.abs(residuals))[rank - 1])
    coefficients = tuple(map(float, best.solution))
    return Calibration(best.terms, coefficients, half_width, networks, residuals, best.knees_mb)


def _chosen(features: Features, measured: Floats) -> _System:
    """The model that networks [n] earn."""
    knees_mb = tuple(map(float, np.quantile(features["weight_mb"], _KNEES_AT)))
    # A choice among many models on few networks is mostly chance.
    affordable = [terms for terms in TERMS if len(terms) * _NETWORKS_A_TERM <= len(measured)] or [TERMS[0]]
    plain = _best([_System.of(features, measured, terms, knees_mb) for terms in affordable])
    if len(measured) < _NETWORKS_FOR_SORTS:
        return plain
    sorts_of_op, single_ops = corrections(features)
    terms = (*affordable[-1], *sorts_of_op)
    sorts = _System.of(features, measured, terms, knees_mb)
    ops = _System.of(features, measured, (*terms, *single_ops), knees_mb)
    rich = [sorts.held(strength) for strength in _SORT_STRENGTHS]
    rich += [ops.held(strength, op_strength) for strength in _SORT_STRENGTHS for op_strength in _OP_STRENGTHS]
    return min([plain, *rich], key=lambda system: float((system.residuals**2).mean()))


def _cross_validated(features: Features, measured: Floats) -> Floats:
    """measured / predicted - 1 of each network, [n], by a model that was chosen and fitted without its fold."""
    residuals = np.empty(len(measured))
    for fold in range(_FOLDS):
        test = np.arange(len(measured)) % _FOLDS == fold
        model = _chosen(features.rows(np.flatnonzero(~test)), measured[~test])
        left_out = term_matrix(features.rows(np.flatnonzero(test)), model.terms, model.knees_mb)
        residuals[test] = measured[test] / (left_out @ model.solution) - 1
    return residuals


def _best(systems: Sequence[_System]) -> _System:
    """The first, or a later one that clearly beats all before it on networks left out."""
    best = systems[0]
    for richer in systems[1:]:
        if np.abs(richer.residuals).mean() <= _WORTH_A_TERM * np.abs(best.residuals).mean():
            best = richer
    return best


def corrections(features: Features) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of sorts of op, and of single ops, that differ among the networks.

    The rest cannot be told from a constant.
    """
    reach = dict(zip(features.names, np.ptp(features.values, axis=0), strict=True))
    varying = [name for name in features.names if reach[name] > 1e-12 and name not in TOTALS]
    ops = tuple(name for name in varying if name.startswith(ONE_OP))
    return tuple(name for name in varying if not name.startswith(ONE_OP)), ops


@dataclass(frozen=True)
class _System:
    """Ridge regression of 1 on `rows` = columns / measured, [n, terms], with a prior at "the sum is right".

    `precision`: how firmly each coefficient is held to its prior, which is 1 for the first and 0 for all others.
    """

    terms: tuple[str, ...]
    knees_mb: tuple[float, ...]
    rows: Floats
    precision: Floats

    @classmethod
    def of(
        cls, features: Features, measured_ms: Floats, terms: tuple[str, ...], knees_mb: tuple[float, ...] = ()
    ) -> _System:
        """Corrections are held at strength 1: a sort of op may be wrong by its whole time, more or less."""
        rows = term_matrix(features, terms, knees_mb) / measured_ms[:, None]
        typical = np.abs(rows).mean(axis=0) + 1e-12
        # A sort of op may be wrong by so many percent of its time; a megabyte and an op count as their share of time.
        totals = {name: features[name].mean() + 1e-12 for name in TOTALS}
        share = [totals[t.partition("[")[0]] / totals["sum_ms"] if "[" in t else 0.0 for t in terms]
        return cls(terms, knees_mb, rows, np.where(np.array(share) > 0, np.square(share), _WEAK * typical**2))

    def held(self, sorts: float, ops: float = 1.0) -> _System:
        """Its corrections held to their priors with these strengths."""
        strength = np.array([ops if t.startswith(ONE_OP) else sorts if "[" in t else 1.0 for t in self.terms])
        return replace(self, precision=self.precision * strength)

    @cached_property
    def _weights(self) -> tuple[Floats, Floats]:
        """What each network says and how much it pulls on its own prediction, [n] each: the dual, few rows by rows."""
        kernel = (self.rows / self.precision) @ self.rows.T
        inverse = np.linalg.inv(kernel + np.eye(len(kernel)))
        return inverse @ (1 - self.rows[:, 0]), 1 - np.diag(inverse)

    @property
    def solution(self) -> Floats:
        """The coefficients, [terms]."""
        found: Floats = (self.rows.T @ self._weights[0]) / self.precision
        found[0] += 1
        return found

    @cached_property
    def residuals(self) -> Floats:
        """measured / predicted - 1 of each network under a fit on all the others, [n]: exact, from one fit."""
        weights, leverage = self._weights
        return np.asarray(1 / (1 - weights / np.maximum(1 - leverage, 1e-12)) - 1)
