"""The picture of an evolving space: a bar per round of a branch, a front per round."""

import numpy as np

from hwnas.report._style import LIGHT
from hwnas.report.evolution import RoundShown, evolution_plot


def test_bars_and_fronts():
    first = RoundShown(
        np.array([[True, True, False], [True, False, True]]),
        np.array([[True, False, False], [False, False, True]]),
        np.array([0.1, 0.2]),
        np.array([0.5, 0.6]),
    )
    second = RoundShown(
        np.array([[True, False, True], [False, True, True]]), first.active & False, np.array([0.15]), np.array([0.7])
    )
    grid, fronts = evolution_plot([first, second], ["k3e3", "k5e3", "c3e1"], 0.25).axes
    bars = [bar for bar in grid.patches if bar.get_height() and bar.get_width() < 0.7]
    assert len(bars) == 8
    from matplotlib.colors import to_hex

    assert sum(to_hex(bar.get_facecolor()).upper() == LIGHT.winner for bar in bars) == 2
    assert [label.get_text() for label in grid.get_xticklabels()] == ["k3e3", "k5e3", "c3e1"]
    lines = {line.get_gid(): line for line in fronts.lines}
    assert lines["round 1"].get_ydata().tolist() == [50, 60]
    assert lines["round 2"].get_xdata().tolist() == [0.15]
    assert set(lines["budget"].get_xdata()) == {0.25}
