"""The figures of NSE's benchmark by hand, and the networks of its rival with one branch per place."""

import numpy as np

from benchmarks._evolving_rivals import OneBranch, Winner, filled
from benchmarks.evolving_space import search_figures
from hwnas.search import Budget
from hwnas.spaces import Subspace, nse_space


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


def test_a_budget_is_filled():
    space, rng = nse_space("nse-32"), np.random.default_rng(0)
    budget = Budget(
        "branches",
        12.0,
        space.additive({op: float(op.kind not in ("stem", "project", "head")) for op in space.all_ops}),
    )
    part, none = Subspace(space, dict.fromkeys(range(33), (0,))), np.zeros((5, 77), dtype=np.int64)
    full = filled(
        part, none, Budget("branches", 12.0, part.additive(dict.fromkeys(part.all_ops, 1.0)).plus_constant(-4.0)), rng
    )
    assert full.sum(axis=1).tolist() == [12] * 5
    assert full[:, :33].sum() == 0  # these the part does not have
    alone = filled(OneBranch(space.preset), none, budget, rng)
    assert alone.reshape(5, 7, 11).sum(axis=2).tolist() == [[1] * 7] * 5
