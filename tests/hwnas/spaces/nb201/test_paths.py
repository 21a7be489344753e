"""Cells as bundles of paths, by hand and over all cells."""

import numpy as np

from hwnas.spaces import NasBench201, every_network
from hwnas.spaces.nb201.cell import OPS, from_text, live_edges
from hwnas.spaces.nb201.paths import GROUPS, PATHS, live_paths, path_counts, path_statistics

NONE, SKIP, CONV1, CONV3, POOL = range(5)
ONE = from_text("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|")[None]


def test_live_paths_by_hand():
    assert live_paths(ONE).tolist() == [[True, False, True, True]]  # 0-1-3 has `none`
    every = every_network(NasBench201())
    # an edge is live exactly where a live path uses it
    on_path = np.zeros((len(every), 6), dtype=bool)
    for path, live in zip(PATHS, live_paths(every).T, strict=True):
        on_path[:, path] |= live[:, None]
    assert np.array_equal(on_path, live_edges(every))


def test_path_counts_by_hand():
    assert path_counts(ONE).sum() == 3
    # skips are left out of a path: 3x3 alone, wherever it stands
    first, last = (CONV3, NONE, NONE, NONE, SKIP, NONE), (SKIP, NONE, NONE, NONE, CONV3, NONE)
    direct = (NONE, NONE, NONE, CONV3, NONE, NONE)
    same = path_counts(np.array([first, last, direct]))
    assert (same == same[0]).all()
    assert same[0].sum() == 1
    # but order matters
    there, back = (CONV3, NONE, NONE, NONE, CONV1, NONE), (CONV1, NONE, NONE, NONE, CONV3, NONE)
    assert not np.array_equal(*path_counts(np.array([there, back])))
    assert path_counts(np.full((1, 6), SKIP)).max() == len(PATHS)


def test_path_statistics_by_hand():
    width = 1 + 3 * len(GROUPS)
    statistics = path_statistics(ONE)
    assert statistics.shape == (1, width)
    # three live paths: pool; skip-3x3; 3x3-1x1-3x3
    assert statistics[0, 0] == 3 / 4
    by_group = dict(zip(GROUPS, statistics[0, 1:].reshape(-1, 3), strict=True))
    assert by_group["nor_conv_3x3",].tolist() == [0, 2 / 3, 3 / 8]
    assert by_group["nor_conv_1x1",].tolist() == [0, 1 / 3, 1 / 8]
    assert by_group["avg_pool_3x3",].tolist() == [0, 1 / 3, 1 / 8]
    assert by_group["nor_conv_1x1", "nor_conv_3x3"].tolist() == [0, 1, 4 / 8]
    assert by_group["nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"].tolist() == [1 / 3, 1, 5 / 8]


def test_a_cell_without_a_live_path_has_zeros():
    dead = np.full((1, 6), OPS.index("none"))
    assert not path_statistics(dead).any()
    assert not path_counts(dead).any()


def test_statistics_are_fractions():
    statistics = path_statistics(every_network(NasBench201()))
    assert statistics.min() == 0
    assert statistics.max() == 1
