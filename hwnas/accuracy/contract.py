"""The contracts of accuracy estimators and predictors; run them on your own.

`check_estimator(MyEstimator(...), space)` and `check_predictor(lambda: MyPredictor(space), space)`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import kendalltau

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator, Predictor
from hwnas.spaces import Population, SearchSpace, unique_genotypes
from latency_tables.arrays import Floats

_REACHED_TAU = 0.4  # of an additive accuracy: a modest ask


def check_estimator(estimator: AccuracyEstimator, space: SearchSpace, samples: int = 4, seed: int = 0) -> None:
    """Raise AssertionError unless `estimator` keeps the contract on `samples` random networks of `space`."""
    archs = space.sample(np.random.default_rng(seed), samples)
    before = archs.copy()
    whole = _checked(estimator.estimate(archs), samples)
    assert np.array_equal(archs, before), "estimate must not change the genotypes it is given"
    assert (whole.mean > -1).all(), "accuracy is a fraction of 1"
    assert (whole.mean < 2).all(), "accuracy is a fraction of 1, not a percentage"
    again = _checked(estimator.estimate(archs), samples)
    assert np.array_equal(whole.mean, again.mean), "the same genotypes must get the same accuracy"
    assert np.array_equal(whole.std, again.std), "the same genotypes must get the same deviation"
    backwards = _checked(estimator.estimate(archs[::-1]), samples)
    same = np.allclose(backwards.mean[::-1], whole.mean, rtol=1e-6, atol=1e-9)
    assert same, "a network's accuracy must not depend on the order it is asked in"
    answers = sorted(estimator.each(archs))
    assert [i for i, *_ in answers] == list(range(samples)), "each must give every index once"
    same = np.allclose([mean for _, mean, _ in answers], whole.mean, rtol=1e-6, atol=1e-9)
    assert same, "each must give the answers that estimate gives"
    one = _checked(estimator.estimate(archs[:1]), 1)
    same = np.allclose(one.mean, whole.mean[:1], rtol=1e-6, atol=1e-9)
    assert same, "a network's accuracy must not depend on what else is asked"


def check_predictor(make: Callable[[], Predictor], space: SearchSpace, samples: int = 80, seed: int = 0) -> None:
    """Raise AssertionError unless the predictors that `make` gives keep the contract.

    They are fitted on up to `samples` networks of `space` with an accuracy that is linear in `space.encode`.
    """
    rng = np.random.default_rng(seed)
    archs = unique_genotypes(space.sample(rng, 2 * samples))
    accuracy = _linear(space, archs, rng)
    cut = len(archs) // 2
    fresh = make()
    try:
        fresh.estimate(archs[:1])
    except (ValueError, RuntimeError):
        pass
    else:
        raise AssertionError("estimate before fit must raise ValueError or RuntimeError")

    given = archs[:cut].copy(), accuracy[:cut].copy()
    predictor = make()
    assert predictor.fit(*given) is predictor, "fit must return the predictor itself"
    assert np.array_equal(given[0], archs[:cut]), "fit must not change the genotypes it is given"
    assert np.array_equal(given[1], accuracy[:cut]), "fit must not change the accuracies it is given"
    check_estimator(predictor, space, seed=seed + 1)
    held_out = _checked(predictor.estimate(archs[cut:]), len(archs) - cut)
    tau = float(kendalltau(held_out.mean, accuracy[cut:])[0])
    assert tau > _REACHED_TAU, f"Kendall's tau on networks held out is {tau:.2f}: it has hardly learned anything"

    same = _checked(make().fit(*given).estimate(archs[cut:]), len(archs) - cut)
    assert np.array_equal(held_out.mean, same.mean), "the same labels must give the same predictions"
    assert np.array_equal(held_out.std, same.std), "the same labels must give the same deviations"
    flat = np.full(cut, 0.625)
    constant = _checked(predictor.fit(archs[:cut], flat).estimate(archs[cut:]), len(archs) - cut)
    assert np.allclose(constant.mean, 0.625, atol=1e-3), "fit must forget the last fit; equal labels predict themselves"


def _linear(space: SearchSpace, archs: Population, rng: np.random.Generator) -> Floats:
    features = space.encode(archs)
    value = features @ rng.standard_normal(features.shape[1])
    spread: Floats = 0.3 + 0.6 * (value - value.min()) / max(float(np.ptp(value)), 1e-12)
    return spread


def _checked(estimate: AccuracyEstimate, n: int) -> AccuracyEstimate:
    assert estimate.mean.shape == (n,), f"mean must be [{n}], got {list(estimate.mean.shape)}"
    assert estimate.std.shape == (n,), f"std must be [{n}], got {list(estimate.std.shape)}"
    assert np.isfinite(estimate.mean).all(), "mean must be finite"
    assert np.isfinite(estimate.std).all(), "std must be finite"
    assert (estimate.std >= 0).all(), "std must not be negative"
    return estimate
