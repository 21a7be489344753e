"""NAS-Bench-201 cells as bundles of paths: what predictors learn from, beside the ops on the edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.nb201.cell import OPS
from latency_tables.arrays import Population

# The paths from input to output, as indices into `EDGES`.
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
LONGEST = max(map(len, PATHS))

_NONE = OPS.index("none")
_ON_PATHS = ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
# Ops that are counted together along a path.
GROUPS = (
    ("nor_conv_3x3",),
    ("nor_conv_1x1",),
    ("avg_pool_3x3",),
    ("nor_conv_1x1", "nor_conv_3x3"),
    _ON_PATHS,
)


# A sequence of ops is a number with digits 1..3, most significant first; with a zero inside it is none.
_BASE = len(_ON_PATHS) + 1
_SEQUENCES = [code for code in range(_BASE**LONGEST) if "0" not in np.base_repr(code, _BASE).lstrip("0")]


def live_paths(archs: Population) -> NDArray[np.bool_]:
    """Which of `PATHS` have no `none` on them, [n, 4], of genotypes [n, 6]."""
    return np.stack([(archs[:, path] != _NONE).all(axis=1) for path in PATHS], axis=1)


def path_counts(archs: Population) -> NDArray[np.float64]:
    """How many live paths lead through each sequence of ops, skips left out, [n, 40], of genotypes [n, 6].

    The path encoding of White et al. 2021 (BANANAS), but paths that compute the same count as the same.
    """
    digit = np.zeros(len(OPS), dtype=np.int64)
    digit[[OPS.index(name) for name in _ON_PATHS]] = np.arange(1, _BASE)
    counts = np.zeros((len(archs), _BASE**LONGEST))
    for path, live in zip(PATHS, live_paths(archs).T, strict=True):
        code = np.zeros(len(archs), dtype=np.int64)
        for edge in path:
            op = archs[:, edge]
            code = np.where(digit[op] > 0, code * _BASE + digit[op], code)
        np.add.at(counts, (np.flatnonzero(live), code[live]), 1)
    chosen: NDArray[np.float64] = counts[:, _SEQUENCES]
    return chosen


def path_statistics(archs: Population) -> NDArray[np.float64]:
    """The number of live paths; then, for each of `GROUPS`, its ops on the path with the fewest, the most, and on all.

    Shape [n, 1 + 3 * 5] of genotypes [n, 6], each as a fraction of the most there could be. Width, depth and shortcuts
    of a cell in a few numbers, which is why they tell so much from so few labels. Zeros without a live path.
    """
    live = live_paths(archs)
    columns = [live.sum(axis=1) / len(PATHS)]
    for group in GROUPS:
        member = np.isin(np.arange(len(OPS)), [OPS.index(name) for name in group])
        on_path = np.stack([member[archs[:, path]].sum(axis=1) for path in PATHS], axis=1)
        passed = np.where(live, on_path, 0)
        fewest = np.where(live, on_path, LONGEST).min(axis=1) * live.any(axis=1)
        columns += [fewest / LONGEST, passed.max(axis=1) / LONGEST, passed.sum(axis=1) / sum(map(len, PATHS))]
    return np.stack(columns, axis=1)
