"""How a ranking of public cells is judged, on made-up scores where every figure is known by hand."""

import numpy as np
import pytest

from benchmarks._supernet_scores import ScoredSpace
from hwnas.spaces import NasBench201, NasBenchMacro
from hwnas.spaces.sampling import different_functions

SPACE = NasBench201()
CELLS = different_functions(SPACE, [0], 400)
ACCURACY = np.linspace(50, 90, 400)
MACS = np.repeat(np.arange(1, 21), 20).astype(float)  # each bin holds twenty cells
SCORES = {"a.seed0": ACCURACY / 100, "a.seed1": ACCURACY, "b.seed0": ACCURACY}
PUBLIC = ScoredSpace(SPACE, CELLS, ACCURACY, MACS, np.ones(400), SCORES, {})


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


def test_networks_of_one_function_are_told_apart_from_others():
    """In the third and fourth network of the macro space identity stands elsewhere in the same stage."""
    space = NasBenchMacro()
    macro = np.array(
        [[1, 1, 2, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 2, 1, 1, 1], [1, 1, 1, 2, 0, 1, 1, 1]]
    )
    scored = ScoredSpace(space, macro, np.arange(4.0), np.ones(4), np.ones(4), {}, {})
    assert scored.function[2] == scored.function[3]
    assert len(set(scored.function)) == 3
    assert scored.different.tolist() == [0, 1, 2]
    nothing = np.zeros((1, 6), dtype=int)
    assert len(ScoredSpace(SPACE, nothing, *np.zeros((3, 1)), {}, {}).different) == 0
