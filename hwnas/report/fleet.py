"""The fronts of several devices, a panel each, and the one network for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwnas.report._base import Array
from hwnas.report._style import LIGHT, Theme, add_legend, add_star, limits, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL_IN = 2.4  # inches of height


@dataclass(frozen=True)
class Panel:
    """One device: upper bounds of ms [n] and accuracies [n] of its front, the network chosen, and the budget in ms."""

    device: str
    upper_ms: Array
    accuracy: Array
    whole: bool
    chosen: tuple[float, float] | None
    budget_ms: float | None


def fleet_plot(panels: Sequence[Panel], theme: Theme = LIGHT) -> Figure:
    """Predicted accuracy (%) against the upper bound of ms, one device below the other."""
    height_in = 0.6 + _PANEL_IN * len(panels)
    figure, axes = new_figure(theme, rows=len(panels), height_in=height_in, share_x=False)
    chosen_pct = [100 * panel.chosen[1] for panel in panels if panel.chosen is not None]
    y_limits = limits(*(100 * panel.accuracy for panel in panels), *chosen_pct)
    for ax, panel in zip(axes, panels, strict=True):
        label = "front" if panel.whole else "front, a ladder of budgets"
        style: dict[str, Any] = {"drawstyle": "steps-post", "markersize": 3.5, "linewidth": 1.3, "gid": "front"}
        ax.plot(panel.upper_ms, 100 * panel.accuracy, "o-", color=theme.predicted, label=label, **style)
        if panel.budget_ms is not None:
            ax.axvline(panel.budget_ms, color=theme.budget, linewidth=2, linestyle="--", label="budget", gid="budget")
        if panel.chosen is not None:
            ms, accuracy = panel.chosen
            add_star(ax, theme, ms, 100 * accuracy, "one network for all", gid="chosen")
        marks = [panel.budget_ms, panel.chosen and panel.chosen[0]]
        ax.set_xlim(limits(panel.upper_ms, *(ms for ms in marks if ms is not None)))
        ax.set_ylim(y_limits)
        ax.set_title(panel.device, fontsize=9.5, color=theme.ink, loc="left")
        ax.set_ylabel("accuracy (%)")
    axes[-1].set_xlabel("latency, upper bound (ms)")
    add_legend(figure, theme)
    return figure
