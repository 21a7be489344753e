from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_tables import CalibrationNetwork, HwnasError, fit_calibration
from latency_tables.calibration import TERMS, features_of, leave_one_out_residuals

# what the terms of TERMS[-1] cost a plausible network: ms, ms/MB, ms/op, ms/MB^2, ms
TRUTH = {"sum_ms": 0.9, "weight_mb": 0.15, "ops": -0.01, "weight_mb_squared": 0.02, "constant": 0.1}


def draw(n, rng, truth, noise=0.0):
    """Random networks whose time is exactly `truth` . terms, times relative noise."""
    sum_ms, weight_mb, ops = rng.uniform(1, 5, n), rng.uniform(0.5, 8, n), rng.integers(8, 24, n)
    columns = np.column_stack([sum_ms, weight_mb, ops])
    networks = [CalibrationNetwork(str(i), *map(float, row), 1.0) for i, row in enumerate(columns)]
    exact = features_of(networks).matrix(tuple(truth)) @ np.array(list(truth.values()))
    measured = exact * (1 + noise * rng.standard_normal(n))
    return [replace(network, measured_ms=float(ms)) for network, ms in zip(networks, measured, strict=True)]


def measured_ms(networks):
    return np.array([n.measured_ms for n in networks])


def test_features_by_hand():
    networks = [CalibrationNetwork("x", 2.0, 3.0, 7.0, 9.0), CalibrationNetwork("y", 5.0, 0.5, 8.0, 9.0)]
    matrix = features_of(networks).matrix(TERMS[-1])
    assert matrix.tolist() == [[2, 3, 7, 9, 1], [5, 0.5, 8, 0.25, 1]]
    assert features_of(networks).matrix(("constant", "sum_ms")).tolist() == [[1, 2], [1, 5]]


@pytest.mark.parametrize("terms", TERMS)
def test_recovers_what_made_the_times(terms):
    rng = np.random.default_rng(0)
    truth = {term: TRUTH[term] for term in terms}
    calibration = fit_calibration(draw(60, rng, truth))
    assert set(terms) <= set(calibration.terms)
    assert calibration.relative_half_width < 0.01
    fresh = draw(200, rng, truth)
    assert calibration.predict_ms(features_of(fresh)) == pytest.approx(measured_ms(fresh), rel=0.01)
    # one that lacks the last term sees it
    for poorer in TERMS[: TERMS.index(terms)]:
        residuals = leave_one_out_residuals(features_of(fresh).matrix(poorer), measured_ms(fresh))
        assert np.abs(residuals).mean() > 0.01


def test_when_the_sum_is_right_it_is_left_alone():
    networks = draw(10, np.random.default_rng(1), {"sum_ms": 1.0})
    calibration = fit_calibration(networks)
    assert calibration.predict_ms(features_of(networks)) == pytest.approx(measured_ms(networks), rel=1e-9)
    assert calibration.relative_half_width < 1e-9


def test_plain_terms_when_rich_ones_do_not_help():
    chosen = []
    for seed in range(60):
        networks = draw(20, np.random.default_rng(seed), {"sum_ms": 1.1, "constant": 0.2}, noise=0.02)
        chosen.append(fit_calibration(networks).terms)
    assert chosen.count(TERMS[0]) > 40


def test_rich_terms_must_earn_their_place_on_networks_left_out():
    for seed in range(10):
        networks = draw(20, np.random.default_rng(seed), TRUTH, noise=0.02)
        terms = fit_calibration(networks).terms
        assert terms != TERMS[0]
        plain, rich = (
            np.abs(leave_one_out_residuals(features_of(networks).matrix(t), measured_ms(networks))).mean()
            for t in (TERMS[0], terms)
        )
        assert rich < plain


def test_leave_one_out_is_a_fit_without_that_network():
    networks = draw(12, np.random.default_rng(3), TRUTH, noise=0.05)
    matrix, measured = features_of(networks).matrix(TERMS[0]), measured_ms(networks)
    residuals = leave_one_out_residuals(matrix, measured)
    # what was left out cannot have been seen: its own time only scales its own residual
    for i in range(12):
        others = measured.copy()
        others[i] *= 2
        again = leave_one_out_residuals(matrix, others)
        assert again[i] == pytest.approx(2 * (residuals[i] + 1) - 1)


def test_the_half_width_is_the_conformal_quantile():
    networks = draw(20, np.random.default_rng(4), {"sum_ms": 1.0, "constant": 0.2}, noise=0.03)
    for coverage, rank in ((0.9, 19), (0.5, 11), (0.99, 20)):  # ceil(21 * coverage), at most 20
        calibration = fit_calibration(networks, coverage)
        residuals = leave_one_out_residuals(features_of(networks).matrix(calibration.terms), measured_ms(networks))
        assert calibration.relative_half_width == np.sort(np.abs(residuals))[rank - 1]
        assert calibration.coverage == coverage
        assert calibration.networks == tuple(networks)


def test_bounds_by_hand():
    networks = draw(20, np.random.default_rng(5), {"sum_ms": 1.0}, noise=0.03)
    calibration = fit_calibration(networks)
    w = calibration.relative_half_width
    low, high = calibration.bounds_ms(np.array([2.0, 10.0]))
    assert low.tolist() == pytest.approx([2 - 2 * w, 10 - 10 * w])
    assert high.tolist() == pytest.approx([2 + 2 * w, 10 + 10 * w])


@pytest.mark.parametrize("n", [10, 20, 40])
def test_the_interval_covers_what_it_promises(n):
    inside = []
    for seed in range(150):
        rng = np.random.default_rng([n, seed])
        calibration = fit_calibration(draw(n, rng, {"sum_ms": 1.1, "weight_mb": 0.1, "constant": 0.1}, noise=0.03))
        fresh = draw(100, rng, {"sum_ms": 1.1, "weight_mb": 0.1, "constant": 0.1}, noise=0.03)
        low, high = calibration.bounds_ms(calibration.predict_ms(features_of(fresh)))
        inside.append(((low <= measured_ms(fresh)) & (measured_ms(fresh) <= high)).mean())
    assert 0.84 <= np.mean(inside) <= 0.96


@settings(max_examples=60, deadline=None)
@given(factor=st.floats(0.3, 3.0), second=st.floats(0.3, 3.0), seed=st.integers(0, 1000))
def test_a_contradicted_network_is_inside_the_new_interval(factor, second, seed):
    rng = np.random.default_rng(seed)
    calibration = fit_calibration(draw(30, rng, TRUTH, noise=0.02))  # enough that the worst one may be left out
    against = []
    for wrong in (factor, second):
        x = draw(1, rng, TRUTH)[0]
        against.append(replace(x, measured_ms=x.measured_ms * wrong))
        corrected = calibration.corrected(against[-1])
        # The first one stays inside when the second one moves the fit.
        low, high = corrected.bounds_ms(corrected.predict_ms(features_of(against)))
        measured = np.array([n.measured_ms for n in against])
        assert ((low <= measured) & (measured <= high)).all()
        assert corrected.relative_half_width >= calibration.relative_half_width
        assert corrected.networks == (*calibration.networks, replace(against[-1], contradicted=True))
        assert corrected.coverage == calibration.coverage
        calibration = corrected


def test_too_few_networks():
    networks = draw(9, np.random.default_rng(0), TRUTH)
    with pytest.raises(HwnasError, match="needs at least 10 measured networks, got 9"):
        fit_calibration(networks)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latency_that_cannot_be(bad):
    networks = draw(12, np.random.default_rng(0), TRUTH)
    networks[5] = CalibrationNetwork("bad", 1.0, 1.0, 10.0, bad)
    with pytest.raises(HwnasError, match="must have positive, finite latencies"):
        fit_calibration(networks)


@pytest.mark.parametrize("field", [1, 2, 3])
def test_a_feature_that_is_not_a_number(field):
    networks = draw(12, np.random.default_rng(0), TRUTH)
    values = ["bad", 1.0, 1.0, 10.0, 1.0]
    values[field] = float("nan")
    with pytest.raises(HwnasError, match="must have positive, finite latencies"):
        fit_calibration([*networks, CalibrationNetwork(*values)])
