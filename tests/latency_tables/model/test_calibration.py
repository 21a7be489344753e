import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_tables import Features, HwnasError, fit_calibration
from latency_tables.model.calibration import KNEES, TERMS, _System, corrections, term_matrix
from latency_tables.model.features import TOTALS

# what the terms of TERMS[-1] cost a plausible network: ms, ms/MB, ms/op, ms/MB over each knee, ms
TRUTH = {"sum_ms": 0.9, "weight_mb": 0.15, "ops": -0.01}
TRUTH |= dict(zip(KNEES, (0.3, -0.2, 0.25), strict=True)) | {"constant": 0.1}
KNEES_MB = (4.0, 2.0, 6.0)
SORTS = tuple(f"{total}[kind={kind}]" for kind in ("a", "b") for total in TOTALS)


def draw(n, rng, truth, noise=0.0, knees_mb=KNEES_MB):
    """Features of random networks and their times: exactly `truth` . terms, times relative noise."""
    columns = [rng.uniform(1, 5, n), rng.uniform(0.5, 8, n), rng.integers(8, 24, n)]
    features = Features(TOTALS, np.column_stack(columns).astype(float))
    exact = term_matrix(features, tuple(truth), knees_mb) @ np.array(list(truth.values()))
    return features, exact * (1 + noise * rng.standard_normal(n))


def draw_sorts(n, rng, correction, noise=0.0):
    """Networks of two sorts of op, the second of which takes `correction` times what the table says."""
    ms, mb, ops = rng.uniform(0.5, 3, (n, 2)), rng.uniform(0.1, 4, (n, 2)), rng.integers(2, 12, (n, 2))
    parts = np.stack([ms, mb, ops], axis=2)  # [n, sort, total]
    values = np.column_stack([parts.sum(axis=1), parts[:, 0], parts[:, 1]])
    measured = (ms @ [1.0, correction] + 0.1) * (1 + noise * rng.standard_normal(n))
    return Features((*TOTALS, *SORTS), values), measured


def leave_one_out_residuals(features, measured, terms, knees_mb=()):
    return _System.of(features, measured, terms, knees_mb).residuals


def bounds_ms(calibration, features):
    ms, width = calibration.predict_ms(features), calibration.relative_half_width
    return ms * (1 - width), ms * (1 + width)


def test_features_by_hand():
    features = Features(TOTALS, np.array([[2.0, 3.0, 7.0], [5.0, 0.5, 8.0]]))
    assert term_matrix(features, TERMS[-1], (1.0, 0.25, 4.0)).tolist() == [
        [2, 3, 7, 2, 2.75, 0, 1],
        [5, 0.5, 8, 0, 0.25, 0, 1],
    ]
    assert term_matrix(features, ("constant", "sum_ms")).tolist() == [[1, 2], [1, 5]]


@pytest.mark.parametrize("terms", TERMS)
def test_recovers_what_made_the_times(terms):
    rng = np.random.default_rng(0)
    truth = {term: TRUTH[term] for term in terms}
    features, _ = draw(60, rng, truth)
    knees_mb = tuple(np.quantile(features["weight_mb"], (0.5, 0.25, 0.75)))  # where the fit will look for them
    measured = term_matrix(features, terms, knees_mb) @ np.array([truth[t] for t in terms])
    calibration = fit_calibration(features, measured)
    assert set(terms) <= set(calibration.terms)
    assert calibration.relative_half_width < 0.02
    fresh, measured = draw(200, rng, truth, knees_mb=knees_mb)
    assert np.abs(calibration.predict_ms(fresh) / measured - 1).mean() < 0.01
    # one that lacks the last terms sees it
    for poorer in TERMS[: TERMS.index(terms)]:
        assert np.abs(leave_one_out_residuals(fresh, measured, poorer, knees_mb)).mean() > 0.01


def test_when_the_sum_is_right_it_is_left_alone():
    features, measured = draw(10, np.random.default_rng(1), {"sum_ms": 1.0})
    calibration = fit_calibration(features, measured)
    assert calibration.predict_ms(features) == pytest.approx(measured, rel=1e-9)
    assert calibration.relative_half_width < 1e-9


def test_plain_terms_when_rich_ones_do_not_help():
    chosen = []
    for seed in range(60):
        truth = {"sum_ms": 1.1, "constant": 0.2}
        chosen.append(fit_calibration(*draw(20, np.random.default_rng(seed), truth, noise=0.02)).terms)
    assert chosen.count(TERMS[0]) > 40


def test_rich_terms_must_earn_their_place_on_networks_left_out():
    for seed in range(10):
        features, measured = draw(20, np.random.default_rng(seed), TRUTH, noise=0.02)
        terms = fit_calibration(features, measured).terms
        assert terms != TERMS[0]
        plain, rich = (
            np.abs(leave_one_out_residuals(features, measured, t, KNEES_MB)).mean() for t in (TERMS[0], terms)
        )
        assert rich < plain


def test_a_sort_of_op_that_the_table_has_wrong_is_corrected():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        calibration = fit_calibration(*draw_sorts(60, rng, 1.2, noise=0.005))
        assert set(SORTS) <= set(calibration.terms)
        fresh, measured = draw_sorts(200, rng, 1.2, noise=0.005)
        plain = np.abs(leave_one_out_residuals(fresh, measured, TERMS[2])).mean()
        assert np.abs(calibration.predict_ms(fresh) / measured - 1).mean() < 0.4 * plain


def test_sorts_of_op_are_left_alone_when_all_are_right():
    corrected = 0
    for seed in range(30):
        corrected += SORTS[0] in fit_calibration(*draw_sorts(30, np.random.default_rng(seed), 1.0, noise=0.02)).terms
    assert corrected <= 6


def test_a_sort_that_never_changes_is_no_term():
    features, _ = draw_sorts(10, np.random.default_rng(0), 1.0)
    values = features.values.copy()
    values[:, features.names.index("ops[kind=a]")] = 4
    assert corrections(Features(features.names, values))[0] == tuple(s for s in SORTS if s != "ops[kind=a]")


@pytest.mark.parametrize("terms", [*TERMS, ("sum_ms", "constant", *SORTS)])
def test_leave_one_out_is_a_fit_without_that_network(terms):
    features, measured = draw_sorts(14, np.random.default_rng(3), 1.1, noise=0.05)
    residuals = leave_one_out_residuals(features, measured, terms, KNEES_MB)
    # what was left out cannot have been seen: its own time only scales its own residual
    for i in range(14):
        others = measured.copy()
        others[i] *= 1 + 1e-6
        again = leave_one_out_residuals(features, others, terms, KNEES_MB)
        assert again[i] == pytest.approx((1 + 1e-6) * (residuals[i] + 1) - 1, abs=1e-6)


def test_the_half_width_is_the_conformal_quantile():
    features, measured = draw(20, np.random.default_rng(4), {"sum_ms": 1.0, "constant": 0.2}, noise=0.03)
    calibration = fit_calibration(features, measured)
    residuals = calibration.residuals
    assert calibration.relative_half_width == np.sort(np.abs(residuals))[19 - 1]  # ceil(21 * 0.9)
    assert calibration.mape_pct == pytest.approx(100 * np.abs(residuals).mean())
    assert calibration.networks.measured_ms.tolist() == measured.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 20, 40, 100])
def test_the_interval_covers_what_it_promises(n):
    inside, truth = [], {"sum_ms": 1.1, "weight_mb": 0.1, "constant": 0.1}
    for seed in range(150):
        rng = np.random.default_rng([n, seed])
        calibration = fit_calibration(*draw(n, rng, truth, noise=0.03))
        fresh, measured = draw(100, rng, truth, noise=0.03)
        low, high = bounds_ms(calibration, fresh)
        inside.append(((low <= measured) & (measured <= high)).mean())
    assert 0.84 <= np.mean(inside) <= 0.96


@settings(max_examples=60, deadline=None)
@given(factor=st.floats(0.3, 3.0), second=st.floats(0.3, 3.0), seed=st.integers(0, 1000))
def test_a_contradicted_network_is_inside_the_new_interval(factor, second, seed):
    rng = np.random.default_rng(seed)
    calibration = fit_calibration(*draw(30, rng, TRUTH, noise=0.02))  # enough that the worst one may be left out
    against, said = [], []
    for wrong in (factor, second):
        features, measured = draw(1, rng, TRUTH)
        against.append(features)
        said.append(float(measured[0]) * wrong)
        corrected = calibration.corrected(features, said[-1])
        # The first one stays inside when the second one moves the fit.
        for known, ms in zip(against, said, strict=True):
            low, high = bounds_ms(corrected, known)
            assert low[0] <= ms <= high[0]
        assert corrected.relative_half_width >= calibration.relative_half_width
        assert corrected.networks.measured_ms.tolist() == [*calibration.networks.measured_ms, said[-1]]
        assert corrected.networks.contradicted.tolist() == [*calibration.networks.contradicted, True]
        calibration = corrected


def test_too_few_networks():
    with pytest.raises(HwnasError, match="needs at least 10 measured networks, got 9"):
        fit_calibration(*draw(9, np.random.default_rng(0), TRUTH))


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latency_that_cannot_be(bad):
    features, measured = draw(12, np.random.default_rng(0), TRUTH)
    measured[5] = bad
    with pytest.raises(HwnasError, match="must have positive, finite latencies"):
        fit_calibration(features, measured)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_feature_that_is_not_a_number(column):
    features, measured = draw(12, np.random.default_rng(0), TRUTH)
    features.values[3, column] = np.nan
    with pytest.raises(HwnasError, match="must have positive, finite latencies"):
        fit_calibration(features, measured)


def test_residuals_come_from_models_that_have_not_seen_the_network():
    features, measured = draw(40, np.random.default_rng(6), TRUTH, noise=0.03)
    residuals = fit_calibration(features, measured).residuals
    for i in (0, 7, 39):
        others = measured.copy()
        others[i] *= 3
        again = fit_calibration(features, others).residuals
        assert again[i] == pytest.approx(3 * (residuals[i] + 1) - 1)


def test_a_single_op_that_is_slower_in_networks_is_learnt():
    """Nothing but its own column tells that op from the others of its sort."""
    rng = np.random.default_rng(5)
    there = rng.integers(0, 2, (60, 8)).astype(float)
    totals = np.column_stack([0.2 + there @ np.full(8, 0.1), np.full(60, 1.0), 2 + there.sum(axis=1)])
    features = Features((*TOTALS, *(f"ops[op=op{i}]" for i in range(8))), np.column_stack([totals, there]))
    ms = totals[:, 0] + 0.05 * there[:, 3]
    calibration = fit_calibration(features, ms)
    assert calibration.coefficient("ops[op=op3]") > 0.03
    assert all(abs(calibration.coefficient(f"ops[op=op{i}]")) < 0.01 for i in range(8) if i != 3)
    without = fit_calibration(Features(TOTALS, totals), ms)
    assert calibration.mape_pct < 0.5 * without.mape_pct
