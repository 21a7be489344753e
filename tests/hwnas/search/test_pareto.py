"""Fronts and what they dominate, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.search.pareto import by_volume, hypervolume, pareto_front

GAIN, COST = np.array([0.5, 0.9, 0.8, 0.9, 0.4]), np.array([1.0, 3.0, 2.0, 4.0, 2.5])


def test_the_front_is_what_no_other_is_better_than():
    assert pareto_front(GAIN, COST).tolist() == [0, 2, 1]
    assert pareto_front(GAIN[:0], COST[:0]).tolist() == []


def test_a_hypervolume():
    """.8 at 1 and .9 at 2 dominate (2 - 1) (.8 - .7) + (3 - 2) (.9 - .7) above .7 and below 3."""
    assert hypervolume(np.array([0.8, 0.9]), np.array([1.0, 2.0]), 0.7, 3.0) == pytest.approx(0.3)
    assert hypervolume(np.array([0.8, 0.9]), np.array([1.0, 2.0]), 0.8, 2.0) == pytest.approx(0.0)


def test_the_order_in_which_a_front_adds_volume():
    """Up to a cost of 5: alone 4 x .5 = 2, 3 x .8 = 2.4, 2 x .9 = 1.8; with the second 2.9 and 2.6; so 2, 0, 1."""
    assert by_volume(GAIN, COST, 0.0, 5.0).tolist() == [2, 0, 1]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_the_order_holds_the_front_and_its_first_dominates_most(points):
    gain, cost = np.array(points).T
    order = by_volume(gain, cost, -0.1, 1.1)
    assert sorted(order) == sorted(pareto_front(gain, cost))
    alone = [hypervolume(gain[[i]], cost[[i]], -0.1, 1.1) for i in range(len(gain))]
    assert alone[order[0]] == pytest.approx(max(alone))
