"""The ways to choose finalists on public scores, on made-up ones."""

import numpy as np

from benchmarks._supernet_scores import ScoredSpace
from benchmarks.finalists import choices
from hwnas.accuracy.predictors import RidgePredictor
from hwnas.spaces import NasBench201
from hwnas.spaces.sampling import different_functions

SPACE = NasBench201()
CELLS = different_functions(SPACE, [0], 600)
ACCURACY = 50 + 40 * SPACE.encode(CELLS)[:, ::3].mean(axis=1)
MACS = np.random.default_rng(0).uniform(1, 20, 600)
PUBLIC = ScoredSpace(SPACE, CELLS, ACCURACY, MACS, np.ones(len(CELLS)), {"a.seed0": ACCURACY / 100}, {})


def test_every_way_trains_nine_different_cells_inside_the_budget():
    pairs = np.flatnonzero(PUBLIC.computes)[:80]
    hopes = ACCURACY / 100 + np.random.default_rng(1).normal(0, 0.02, 600)
    found = choices(PUBLIC, lambda: RidgePredictor(SPACE), PUBLIC.scores["a.seed0"], pairs, hopes, 50)
    assert set(found) == {"apart", "clusters", "waves", "unheard"}
    for name, cells in found.items():
        assert len(set(cells.tolist())) == len(cells) <= 9, name
        assert PUBLIC.inside(50)[cells].all(), name
    assert all(len(found[name]) == 9 for name in ("clusters", "waves", "unheard"))
    assert found["waves"][:5].tolist() == found["unheard"][:5].tolist()  # nothing is known of them before
