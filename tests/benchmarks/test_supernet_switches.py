"""What a switch is said to do, on made-up scores where every figure is known by hand."""

import numpy as np
import pytest

from benchmarks.supernet_switches import ONE_SHOT, Scored, effects

TRUTH = np.array([1.0, 2.0, 3.0, 4.0])
RISING, SWAPPED = [0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.3, 0.4]  # taus 1 and 2/3: one pair of six is wrong


def one_shot(probability):
    return Scored(probability, flatness=[1.0, 1.0, 1.0, 1.0])


def test_gains_are_those_on_the_one_shot_of_the_same_seed():
    scored = {
        (ONE_SHOT, 0): one_shot(SWAPPED),
        ("fair", 0): Scored(RISING, []),
        (ONE_SHOT, 1): one_shot(RISING),
        ("fair", 1): Scored(SWAPPED, []),
    }
    found = effects(scored, TRUTH, macs=TRUTH)
    assert found["one_shot_tau"] == found["fair_tau"] == pytest.approx(5 / 6)
    assert (found["fair_tau_gain"], found["fair_tau_gain_min"], found["fair_tau_gain_max"]) == pytest.approx(
        (0, -1 / 3, 1 / 3)
    )
    assert found["flatness_tau_gain"] == 0


def test_dropped_networks_count_for_neither():
    """Of the three that are left both rank all right: the one-shot's mistake is between the first two."""
    scored = {(ONE_SHOT, 0): one_shot(SWAPPED), ("shrunk", 0): Scored([float("nan"), 0.1, 0.3, 0.4], [])}
    found = effects(scored, TRUTH, macs=TRUTH)
    assert (found["one_shot_tau"], found["shrunk_tau"], found["shrunk_tau_gain"]) == pytest.approx((2 / 3, 1, 0))


def test_flatness_decides_where_scores_tie():
    """Five of six pairs are right and one is tied: tau-b is 5 / sqrt(6 * 5), 1 once flatness tells them apart."""
    said = Scored([0.1, 0.1, 0.3, 0.4], flatness=[1.0, 2.0, 3.0, 4.0])
    found = effects({(ONE_SHOT, 0): said}, TRUTH, macs=np.ones(4))
    assert found["flatness_tau_gain"] == pytest.approx(1 - 5 / 30**0.5)
