"""An additive latency table from a handful of whole-network timings, for a device whose blocks cannot be timed.

Bayesian linear regression on op counts. The prior (`op_prior`) carries what other devices and the ops' costs say;
the variances of its effects are learnt from the timings by marginal likelihood (Rasmussen & Williams 2006,
"Gaussian Processes for Machine Learning", chapter 5), and so is the choice of what to count: every op, or only those
that a graph runtime keeps. Errors have a Student t: one disturbed timing in ten must not bend the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.optimize import minimize, nnls

from latency_tables.arrays import Floats
from latency_tables.errors import HwnasError
from latency_tables.few_shot.prior import OpPrior, design

MINIMUM_TIMINGS = 5
MOST_MS = 1e9  # more is no timing; NaN and infinity are not below it either
_ENOUGH = 200  # variances learnt from more timings than these are no better, and cost their cube
_DEGREES = 4.0  # of freedom of the errors
_STEPS = 12
_OWN_START = 3.0
# Errors in units of the mean network: variance of a fixed and of a proportional part, first guesses as for effects.
_FIXED_ERROR, _PROPORTIONAL_ERROR = (2e-4, 2.0), (2e-4, 2.0)
_JITTER = 1e-8


@dataclass(frozen=True)
class Counting:
    """One way to count ops: the timed networks' features [k, columns] and the prior that goes with it."""

    name: str
    features: Floats
    prior: OpPrior


@dataclass(frozen=True)
class FewShotFit:
    """The fitted table, for features of `counting`, and how far to trust it.

    `covariance_ms2` [columns + 1, columns + 1] is that of `table_ms` [columns + 1]; an error has the variance
    `fixed_error_ms ** 2 + (proportional_error * ms) ** 2`. `variances` of effects and errors: as timings chose.
    """

    table_ms: Floats
    counting: str
    covariance_ms2: Floats
    fixed_error_ms: float
    proportional_error: float
    variances: Floats
    log_evidence: Mapping[str, float]

    def predict(self, features: Floats) -> Floats:
        """Milliseconds [n] of networks with features [n, columns]."""
        ms: Floats = design(features) @ self.table_ms
        return ms

    def bounds(self, features: Floats, coverage: float = 0.9) -> tuple[Floats, Floats]:
        """Lower and upper end, [n] each, of the interval that holds a timing with probability `coverage`."""
        ms, counts = self.predict(features), design(features)
        of_table = ((counts @ self.covariance_ms2) * counts).sum(axis=1)
        of_timing = self.fixed_error_ms**2 + (self.proportional_error * ms) ** 2
        half = float(stats.t.ppf(0.5 + coverage / 2, _DEGREES)) * np.sqrt(np.maximum(of_table, 0) + of_timing)
        return np.maximum(ms - half, 0), ms + half

    def non_negative(self, least_ms: float = 0.0) -> Floats:
        """The most likely table in which every op takes at least `least_ms`, and the constant none back."""
        least = np.append(np.full(len(self.table_ms) - 1, least_ms), 0.0)
        wanted = self.table_ms - least
        if wanted.min() >= 0:
            return self.table_ms
        size = float(np.sqrt(np.diag(self.covariance_ms2).max()))
        covariance = self.covariance_ms2 / size**2 + _JITTER * np.eye(len(wanted))
        whiten = np.linalg.inv(np.linalg.cholesky(covariance)) / size
        above, _ = nnls(whiten, whiten @ wanted, maxiter=50 * len(wanted))
        return np.asarray(above + least)

    @property
    def op_std_ms(self) -> Floats:
        """Standard deviation of each entry of the table, [columns + 1], the constant last."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance_ms2), 0)))


def fit_few_shot(countings: Sequence[Counting], ms: Floats) -> FewShotFit:
    """Fit on timings `ms` [k] of the networks whose features the countings hold, and choose the counting.

    Countings come plainest first: before any timing each is believed half as likely as the one before it.
    Raises `HwnasError` with fewer than `MINIMUM_TIMINGS` timings, with one that is not positive and finite, and with
    timings that are all equal.
    """
    check_timings(ms)
    unit = float(ms.mean())
    learnt = [_learn(c, ms[:_ENOUGH] / unit) for c in countings]
    evidence = {c.name: e - i * float(np.log(2)) for i, (c, (_, e)) in enumerate(zip(countings, learnt, strict=True))}
    best = max(range(len(countings)), key=lambda i: evidence[countings[i].name])
    return _posterior(countings[best], ms / unit, learnt[best][0], unit, evidence)


def leave_one_out_ms(fit: FewShotFit, counting: Counting, ms: Floats) -> Floats:
    """What the fit predicts for each timed network [k] from the other timings, variances as they are."""
    unit, features, left_out = float(ms.mean()), counting.features, []
    for i in range(len(ms)):
        others = replace(counting, features=np.delete(features, i, axis=0))
        fitted = _posterior(others, np.delete(ms, i) / unit, fit.variances, unit, {})
        left_out.append(float(fitted.predict(features[i : i + 1])[0]))
    return np.array(left_out)


def check_timings(ms: Floats) -> None:
    """Raise `HwnasError` for timings [k] from which nothing can be learnt."""
    if len(ms) < MINIMUM_TIMINGS:
        raise HwnasError(f"a table needs at least {MINIMUM_TIMINGS} timed networks, got {len(ms)}; time more")
    if bad := [i for i, t in enumerate(ms) if not 0 < t < MOST_MS]:
        raise HwnasError(f"timing {bad[0] + 1} is {ms[bad[0]]:g} ms; it must be positive and below {MOST_MS:g} ms")
    if np.ptp(ms) == 0:
        raise HwnasError(f"all {len(ms)} timings are {ms[0]:g} ms: nothing tells the ops apart; time other networks")


def _learn(counting: Counting, relative: Floats) -> tuple[Floats, float]:
    """Variances of effects and errors that the timings (in units of their mean) make most likely; log evidence."""
    prior, k = counting.prior, len(relative)
    counts = design(counting.features[:k])
    residual = relative - counts @ prior.mean
    parts = [counts @ effect.root for effect in prior.effects]
    kernels = np.array([*(p @ p.T for p in parts), np.eye(k), np.diag(relative**2)])
    guess, spread = np.array([*((e.variance, e.spread) for e in prior.effects), _FIXED_ERROR, _PROPORTIONAL_ERROR]).T
    start = np.log(guess)

    def loss(logs: Floats) -> tuple[float, Floats]:
        variances, away = np.exp(logs), (logs - start) / spread
        covariance = np.tensordot(variances, kernels, 1) + _JITTER * np.eye(k)
        inverse = np.linalg.inv(covariance)
        weights = inverse @ residual
        _, log_determinant = np.linalg.slogdet(covariance)
        fit_gradient = (kernels * (inverse - np.outer(weights, weights))).sum(axis=(1, 2))
        value = 0.5 * (residual @ weights + log_determinant + away @ away)
        return value, 0.5 * variances * fit_gradient + away / spread

    bounds = list(zip(start - 5 * spread, start + 5 * spread, strict=True))
    # Two hills: what the prior does not say is either error or real. Climb both.
    own = np.array([e.name == "own" for e in prior.effects] + [False, False])
    error = np.arange(len(start)) >= len(start) - 2
    found = [
        minimize(loss, s, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
        for s in (start, start + spread * (_OWN_START * own - 2.0 * error))
    ]
    best = min(found, key=lambda f: float(f.fun))
    return np.exp(best.x), -float(best.fun)


def _posterior(
    counting: Counting, relative: Floats, variances: Floats, unit: float, evidence: Mapping[str, float]
) -> FewShotFit:
    """The table given the variances, with Student t errors by iteratively reweighted least squares."""
    prior, counts = counting.prior, design(counting.features)
    root, (fixed, proportional) = prior.root(variances[:-2]), map(float, variances[-2:])
    parts = counts @ root
    residual = relative - counts @ prior.mean
    error = fixed + proportional * relative**2 + _JITTER
    weight = 1 / error
    for _ in range(_STEPS):
        precision = (parts.T * weight) @ parts + np.eye(parts.shape[1])
        amount = np.linalg.solve(precision, parts.T @ (weight * residual))
        off = residual - parts @ amount
        weight = (_DEGREES + 1) / (_DEGREES + off**2 / error) / error
    return FewShotFit(
        table_ms=(prior.mean + root @ amount) * unit,
        counting=counting.name,
        covariance_ms2=root @ np.linalg.solve(precision, root.T) * unit**2,
        fixed_error_ms=float(np.sqrt(fixed)) * unit,
        proportional_error=float(np.sqrt(proportional)),
        variances=variances,
        log_evidence=evidence,
    )
