"""How a ranking of public cells is judged, on made-up scores where every figure is known by hand."""

import numpy as np
import pytest

from benchmarks._supernet_scores import PublicScores
from hwnas.spaces import NasBench201
from hwnas.spaces.sampling import different_functions

SPACE = NasBench201()
CELLS = different_functions(SPACE, [0], 400)
ACCURACY = np.linspace(50, 90, 400)
MACS = np.repeat(np.arange(1, 21), 20).astype(float)  # each bin holds twenty cells
PUBLIC = PublicScores(
    SPACE, CELLS, ACCURACY, MACS, {"a.seed0": ACCURACY / 100, "a.seed1": ACCURACY, "b.seed0": ACCURACY}
)


def test_the_truth_ranks_perfectly():
    ranked = PUBLIC.ranked(ACCURACY)
    assert (ranked.tau, ranked.equal_cost, ranked.regret) == pytest.approx((1, 1, 0))


def test_right_across_costs_and_wrong_at_each():
    """The order of bins is right, that inside them is backwards: the cheapest of a bin is picked, 19 steps too low."""
    ranked = PUBLIC.ranked(1000 * MACS - ACCURACY)
    assert ranked.equal_cost == pytest.approx(-1)
    backwards_pairs, all_pairs = 20 * 20 * 19 / 2, 400 * 399 / 2
    assert ranked.tau == pytest.approx(1 - 2 * backwards_pairs / all_pairs)
    assert ranked.regret == pytest.approx(19 * 40 / 399)


def test_regret_is_that_of_the_best_finalist_inside_the_budget():
    """The median of MACs is 10.5: 200 cells are inside, the best of them is cell 199."""
    assert PUBLIC.inside(50).sum() == 200
    assert PUBLIC.regret(50, [3, 197]) == pytest.approx(2 * 40 / 399)


def test_supernets_of_one_recipe():
    assert PUBLIC.runs("a") == ["a.seed0", "a.seed1"]
