"""The figures of NSE's benchmark by hand, and the networks of its rival with one branch per place."""

import numpy as np

from benchmarks._evolving_rivals import OneBranch, Winner
from benchmarks.evolving_space import search_figures
from hwnas.spaces import nse_space


def test_figures_by_hand():
    def winner(test_pct, volumes=(), over=0):
        return Winner("nse-32:-/-/-/-/-/-/-", 0.3, 90.0, test_pct, volumes, over)

    winners = {
        (0, "nse"): winner(90.0, (0.4, 0.6, 0.5)),
        (1, "nse"): winner(94.0, (0.5, 0.6, 0.4), over=2),
        (0, "whole-pool"): winner(80.0),
        (1, "whole-pool"): winner(82.0),
    }
    figures = search_figures(winners, over=1)
    assert (figures["winner_test_pct"], figures["winner_test_pct_min"]) == (92.0, 90.0)
    assert (figures["whole_pool_test_pct"], figures["whole_pool_test_pct_min"]) == (81.0, 80.0)
    assert figures["hypervolume_grew"] == 1
    assert (figures["over_budget"], figures["steps_over_budget"]) == (1, 2)


def test_one_branch_per_place_at_most():
    space, rng = OneBranch(nse_space("nse-32").preset), np.random.default_rng(0)
    drawn = space.sample(rng, 200)
    by_place = drawn.reshape(200, 7, 11).sum(axis=2)
    assert set(by_place.ravel()) == {0, 1}
    moved = space.mutate(drawn, rng)
    after = moved.reshape(200, 7, 11)
    assert after.sum(axis=2).max() == 1
    changed = (after != drawn.reshape(200, 7, 11)).any(axis=2).sum(axis=1)
    assert changed.max() == 1
    assert (changed == 1).mean() > 0.8
    assert space.mutate(drawn[:0], rng).shape == (0, 77)
