import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables import HwnasError, Measurement, quiet_reference_us, summarise
from latency_tables.measurement import Group, elapsed_s, is_quiet

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
    assert s.lower_ratio == 5.0  # half way from the fastest of three to the median
    # ln 6/4, ln 6/6, ln 50/6: MAD ln 1.5; t(.975, 2) = 4.3027; the median's error is 1.2533 sigma / sqrt(n)
    factor = 1.5 ** (4.302652729749462 * 1.4826 * 1.2533 / 3**0.5)
    assert s.ratio_ci95 == pytest.approx((6 / factor, 6 * factor))
    assert s.ci95_pct == pytest.approx(50 * (factor - 1 / factor))
    assert (s.groups, s.rounds) == (9, 3)


def test_one_round_takes_the_spread_of_its_groups(visit):
    s = summarise([visit([[10], [12]], [1, 1, 1])])
    # ratios 10 and 12, median 11; their logarithms are ln 1.2 apart, MAD half of it; t(.975, 1) = 12.7062
    factor = 1.2 ** (0.5 * 12.706204736432095 * 1.4826 * 1.2533 / 2**0.5)
    assert s.ratio == 11.0
    assert s.ratio_ci95 == pytest.approx((11 / factor, 11 * factor))


def test_no_interval_reaches_zero(visit):
    s = summarise([visit([[ratio]], [1, 1], round_=i) for i, ratio in enumerate((1, 10, 200))])
    assert 0 < s.ratio_ci95[0] < s.ratio == 10 < s.ratio_ci95[1]


def test_one_group_says_nothing_of_its_spread(visit):
    s = summarise([visit([[10, 20]], [2, 4])])
    assert (s.ratio, s.ratio_ci95, s.ci95_pct) == (5.0, (5.0, 5.0), 0.0)
    assert s.lower_ratio == 5.0


def test_equal_rounds_still_have_an_interval(visit):
    s = summarise([visit([[10]], [1, 1], round_=i) for i in range(3)])
    assert s.ratio_ci95[0] < s.ratio == 10.0 < s.ratio_ci95[1]
    assert s.ci95_pct < 0.1


def test_only_groups_of_quiet_moments_count(visit):
    # 4.0 and 4.2 beside a reference at its quiet 10; 5.0 beside a slow one before, 5.5 beside a slow one after
    visits = [visit([[50], [42]], [12, 10, 10]), visit([[40], [55]], [10, 10.5, 11], round_=1)]
    assert summarise(visits).ratio == np.median([4.6, (4.0 + 55 / 10.5) / 2])
    quiet = summarise(visits, quiet_us=10.0)
    assert (quiet.ratio, quiet.groups, quiet.rounds) == (4.1, 2, 2)
    assert quiet.lower_ratio == 4.05
    assert (quiet.min_us, quiet.raw_median_us) == (40.0, 46.0)  # of all runs


def test_without_a_quiet_moment_the_two_quietest_count(visit):
    visits = [visit([[30], [44], [90]], [15, 12, 11, 20]), visit([[66]], [13, 13], round_=1)]
    s = summarise(visits, quiet_us=10.0)
    assert (s.groups, s.ratio) == (2, (44 / 11 + 66 / 13) / 2)


def test_quiet_is_within_three_per_cent():
    assert is_quiet(103.0, 100.0)
    assert not is_quiet(103.1, 100.0)


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
        replace(visit([[1.0]], [2.0, 3.0]), clock_mhz=2400.0, temperature_c=61.5, throttled=True),
        visit(error="refused: µ", started=7.0),
    ):
        assert Measurement.from_json(json.loads(json.dumps(v.to_json()))) == v


def test_a_record_of_before_temperatures_were_kept(visit):
    old = visit([[1.25]], [0.5, 0.25]).to_json()
    for name in ("temperature_c", "throttled"):
        del old[name]
    assert Measurement.from_json(old) == visit([[1.25]], [0.5, 0.25])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples_us": 3}, "samples_us is 3"),
        ({"samples_us": [3]}, "samples_us is 3"),
        ({"samples_us": [[1.0], ["2"]]}, "samples_us is '2'"),
        ({"samples_us": [[1.0]]}, "1 groups have 3 reference times"),
        ({"samples_us": []}, "0 groups have 3 reference times"),
        ({"reference_us": [1.0, float("nan"), 1.0]}, "reference_us is nan"),
        ({"started_unix_s": 1e12}, "started_unix_s is 1000000000000.0"),
        ({"started_unix_s": -1.0}, "started_unix_s is -1.0"),
        ({"key": None}, "key is None"),
        ({"round": 1.5}, "round is 1.5"),
        ({"throttled": "yes"}, "throttled is 'yes'"),
        ({"accuracy": 0.5}, "Measurement has an unknown field 'accuracy'"),
    ],
)
def test_foreign_records_are_refused(visit, change, words):
    record = visit([[1.0], [2.0]], [1.0, 1.0, 1.0]).to_json()
    with pytest.raises(HwnasError) as e:
        Measurement.from_json(record | change)
    assert str(e.value) == f"a stored measurement is damaged: {words}; delete its file and measure again"


def test_a_record_that_lacks_something_or_is_none_at_all(visit):
    with pytest.raises(HwnasError, match="Measurement has an unknown field 'arch'"):
        Measurement.from_json({"arch": "1-2-3", "accuracy": 0.5})
    with pytest.raises(HwnasError, match="Measurement has no key"):
        Measurement.from_json({})
    with pytest.raises(HwnasError, match="Measurement is 3"):
        Measurement.from_json(3)


JUMPS = [0.0, -1.0, -1e9, float("nan"), float("inf"), 1e300, 1e-12]


@pytest.mark.parametrize("wrong", JUMPS)
def test_a_group_whose_clock_jumped_enters_no_ratio(visit, wrong):
    v = visit([[20.0, wrong], [30.0, 33.0]], [10, 10, 10])
    assert v.ratios == (3.0,)
    assert v.sound_groups == (Group((30.0, 33.0), (10.0, 10.0)),)
    # a reference time stands on both sides of it
    assert visit([[20], [30], [40]], [10, wrong, 10, 10]).ratios == (4.0,)
    assert visit([[20]], [10, wrong]).ratios == ()


@pytest.mark.parametrize("wrong", JUMPS)
def test_a_jump_leaves_the_summary_as_if_it_had_not_been(visit, wrong):
    good = [visit([[20], [22]], [10, 10, 10]), visit([[21]], [10, 10], round_=1)]
    jumped = [visit([[20], [22], [7, wrong]], [10, 10, 10, 10]), good[1], visit([[wrong]], [9, wrong], round_=2)]
    assert summarise(jumped) == summarise(good)
    assert quiet_reference_us([*good, visit([[1]], [wrong, wrong])]) == quiet_reference_us(good)
    for nothing in ([visit([[wrong]], [10, 10])], [visit([[10]], [wrong, 10])]):
        with pytest.raises(ValueError, match="no visit without an error"):
            summarise(nothing)
    with pytest.raises(ValueError, match="no visit"):
        quiet_reference_us([visit([[10]], [wrong, wrong])])


def test_elapsed_by_hand(visit):
    def at(*times):
        return elapsed_s([visit(started=t) for t in times])

    assert at(100.0, 101.5, 107.5) == 7.5
    assert at(100.0, 102.0, 50.0, 53.0) == 5.0  # set back by 52 s
    assert at(0.0, 2.0, 1.7e9, 1.7e9 + 3) == 5.0  # the network told the time
    assert at(100.0, 102.0, 9000.0, 9001.0) == 3.0  # stopped, and gone on with two hours later
    assert at(5.0) == at() == 0.0


@given(times=st.lists(st.floats(0, 1e10), max_size=10))
def test_elapsed_is_never_negative(visit, times):
    assert elapsed_s([visit(started=t) for t in times]) >= 0
