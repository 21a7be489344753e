import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import Measurement, quiet_reference_us, summarise

TIMES = st.floats(0.5, 1e5)
VISITS = st.lists(
    st.integers(1, 3).flatmap(
        lambda groups: st.tuples(
            st.lists(st.lists(TIMES, min_size=1, max_size=4), min_size=groups, max_size=groups),
            st.lists(TIMES, min_size=groups + 1, max_size=groups + 1),
        )
    ),
    min_size=1,
    max_size=5,
)


def test_ratios_by_hand(visit):
    v = visit([[30, 20, 25], [50, 40]], [10, 5, 8])
    # 20 over the faster of 10 and 5; 40 over the faster of 5 and 8
    assert v.ratios == (4.0, 8.0)


def test_a_failed_visit_has_no_ratios(visit):
    assert visit(error="refused").ratios == ()


@given(visits=VISITS, power=st.integers(-4, 4))
def test_a_machine_that_is_slower_as_a_whole_changes_no_ratio(visit, visits, power):
    slow = 2.0**power  # a power of two scales without rounding
    quiet = [visit(samples, reference) for samples, reference in visits]
    drifted = [
        visit([[t * slow for t in g] for g in samples], [t * slow for t in reference]) for samples, reference in visits
    ]
    assert [v.ratios for v in drifted] == [v.ratios for v in quiet]
    before, after = summarise(quiet), summarise(drifted)
    assert (after.ratio, after.ratio_ci95) == (before.ratio, before.ratio_ci95)
    assert after.min_us == before.min_us * slow
    assert quiet_reference_us(drifted) == pytest.approx(quiet_reference_us(quiet) * slow)


def test_drift_between_visits_cancels(visit):
    visits = [visit([[100 * f, 110 * f]], [10 * f, 10 * f], round_=i) for i, f in enumerate((1.0, 2.0, 4.0))]
    s = summarise(visits)
    assert s.ratio == 10.0
    assert s.min_us == 100.0
    assert s.raw_median_us == np.median([100, 110, 200, 220, 400, 440])
    assert (s.groups, s.rounds) == (3, 3)


def test_summary_is_the_median_of_rounds(visit):
    rounds = [
        visit([[2], [4], [9]], [1, 1, 1, 1], round_=0),  # median of its groups: 4
        visit([[6], [6], [60]], [1, 1, 1, 1], round_=1),  # 6
        visit([[50], [50], [1]], [1, 1, 1, 1], round_=2),  # 50: a disturbed round
    ]
    s = summarise(rounds)
    assert s.ratio == 6.0
    # |4-6|, |6-6|, |50-6|: MAD 2; t(.975, 2) = 4.3027; the median's error is 1.2533 sigma / sqrt(n)
    half = 4.302652729749462 * 1.4826 * 2 * 1.2533 / 3**0.5
    assert s.ratio_ci95 == pytest.approx((6 - half, 6 + half))
    assert s.ci95_pct == pytest.approx(100 * half / 6)
    assert (s.groups, s.rounds) == (9, 3)


def test_one_round_takes_the_spread_of_its_groups(visit):
    s = summarise([visit([[10], [12]], [1, 1, 1])])
    # ratios 10 and 12, median 11, MAD 1; t(.975, 1) = 12.7062
    half = 12.706204736432095 * 1.4826 * 1 * 1.2533 / 2**0.5
    assert s.ratio == 11.0
    assert s.ratio_ci95 == pytest.approx((11 - half, 11 + half))


def test_one_group_says_nothing_of_its_spread(visit):
    s = summarise([visit([[10, 20]], [2, 4])])
    assert (s.ratio, s.ratio_ci95, s.ci95_pct) == (5.0, (5.0, 5.0), 0.0)


def test_equal_rounds_still_have_an_interval(visit):
    s = summarise([visit([[10]], [1, 1], round_=i) for i in range(3)])
    assert s.ratio_ci95[0] < s.ratio == 10.0 < s.ratio_ci95[1]
    assert s.ci95_pct < 0.1


def test_failed_visits_are_left_out_of_the_summary(visit):
    good = [visit([[10]], [2, 2]), visit([[30]], [5, 5], round_=1)]
    bad = visit(error="out of memory", round_=2)
    assert summarise([bad, *good]) == summarise(good)
    assert summarise([bad, *good]).rounds == 2
    for nothing in ([], [bad], [visit()]):
        with pytest.raises(ValueError, match="no visit without an error"):
            summarise(nothing)


def test_quiet_reference_is_the_tenth_percentile(visit):
    visits = [visit([[1]] * 10, range(100, 111)), visit(error="refused", reference=[1, 1])]
    assert quiet_reference_us(visits) == 101.0  # 100 .. 110; the failed visit counts for nothing
    with pytest.raises(ValueError, match="no visit"):
        quiet_reference_us([visit(error="refused")])


def test_json_round_trip(visit):
    for v in (
        visit([[1.25, 2.5], [3.0]], [0.1, 0.2, 0.3], key="conv(3x8)", round_=4, started=1.5e9),
        replace(visit([[1.0]], [2.0, 3.0]), clock_mhz=2400.0),
        visit(error="refused: µ", started=7.0),
    ):
        assert Measurement.from_json(json.loads(json.dumps(v.to_json()))) == v


def test_foreign_records_are_refused(visit):
    with pytest.raises(KeyError):
        Measurement.from_json({"arch": "1-2-3", "accuracy": 0.5})
    with pytest.raises(TypeError):
        Measurement.from_json(visit().to_json() | {"samples_us": 3})
