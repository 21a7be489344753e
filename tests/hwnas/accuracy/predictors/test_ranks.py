"""Labels as normal scores, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from hwnas.accuracy.predictors import NormalScores

LABELS = st.lists(st.floats(0.1, 0.99), min_size=2, max_size=40).map(np.array)


def test_by_hand():
    scores = NormalScores.of(np.array([0.9, 0.1, 0.5]))
    assert scores.transform(np.array([0.1, 0.5, 0.9])) == pytest.approx(norm.ppf([1 / 6, 1 / 2, 5 / 6]))
    # half way between two labels is half way between their scores
    assert scores.transform(np.array([0.7])) == pytest.approx([norm.ppf(5 / 6) / 2])
    assert scores.inverse(np.array([0.0])) == pytest.approx([0.5])
    assert scores.slope(np.array([0.0]), width=norm.ppf(5 / 6)) == pytest.approx([0.4 / norm.ppf(5 / 6)])


def test_an_outlier_pulls_no_harder_than_its_rank():
    near, far = (NormalScores.of(np.array([low, 0.8, 0.9])) for low in (0.79, 0.1))
    assert near.scores.tolist() == far.scores.tolist()


@given(LABELS)
def test_there_and_back(labels):
    scores = NormalScores.of(labels)
    if len(scores.levels) > 1 and np.diff(scores.levels).min() > 1e-9:
        assert scores.inverse(scores.transform(labels)) == pytest.approx(labels, abs=1e-6)


@given(LABELS)
def test_order_is_kept_also_beyond_the_ends(labels):
    scores = NormalScores.of(labels)
    values = scores.inverse(np.linspace(-5, 5, 41))
    assert (np.diff(values) >= -1e-12).all()


def test_equal_labels_have_one_level():
    scores = NormalScores.of(np.full(5, 0.7))
    assert scores.transform(np.array([0.1, 0.7])).tolist() == [0, 0]
    assert scores.inverse(np.array([-3.0, 3.0])).tolist() == [0.7, 0.7]
