"""How a space evolved: which branches of each place were active in which round, and how the front moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.report._base import Array
from hwnas.report._style import LIGHT, Theme, add_legend, limits, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class RoundShown:
    """One round: which branches were active and which its front uses, [places, branches] each; its front, [n] each."""

    active: NDArray[np.bool_]
    used: NDArray[np.bool_]
    cost: Array
    score: Array


def evolution_plot(
    rounds: Sequence[RoundShown], branches: Sequence[str], budget: float, unit: str = "ms", theme: Theme = LIGHT
) -> Figure:
    """Above: rounds by place and branch. Below: the front of every round, what the supernet says (%) against cost."""
    places = len(rounds[0].active)
    height_in = 3.6 + 0.36 * places
    figure, (grid, fronts) = new_figure(theme, rows=2, height_in=height_in, ratios=(0.36 * places, 3.0), share_x=False)
    _draw_branches(grid, rounds, branches, theme)
    for number, one in enumerate(rounds, start=1):
        shade = 0.25 + 0.75 * number / len(rounds)
        fronts.step(
            one.cost,
            100 * one.score,
            "o-",
            where="post",
            color=theme.predicted,
            alpha=shade,
            markersize=3.5,
            linewidth=1.3,
            label=f"front of round {number}",
            gid=f"round {number}",
        )
    fronts.axvline(budget, color=theme.budget, linewidth=2, linestyle="--", label="budget", gid="budget")
    fronts.set_xlim(limits(*(one.cost for one in rounds), budget))
    fronts.set_xlabel(f"cost ({unit})")
    fronts.set_ylabel("true-class probability (%)")
    add_legend(figure, theme)
    return figure


def _draw_branches(ax: Axes, rounds: Sequence[RoundShown], branches: Sequence[str], theme: Theme) -> None:
    """A small bar per round in the cell of a branch that was active in it, strong where the front used it."""
    places, count = rounds[0].active.shape
    width = 0.84 / len(rounds)
    for number, one in enumerate(rounds):
        for place, branch in zip(*np.nonzero(one.active), strict=True):
            strong = one.used[place, branch]
            color = theme.winner if strong else theme.random
            ax.bar(branch - 0.42 + (number + 0.5) * width, 0.8, 0.9 * width, place + 0.6, color=color)
    for color, label in ((theme.random, "active, left to right by round"), (theme.winner, "on the front")):
        ax.bar([0], [0], color=color, label=label)
    ax.set_xlim(-0.5, count - 0.5)
    ax.set_ylim(places + 0.5, 0.5)
    ax.set_xticks(range(count), branches, rotation=45, ha="right")
    ax.set_yticks(range(1, places + 1))
    ax.set_ylabel("place")
    ax.grid(visible=False)
