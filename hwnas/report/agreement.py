"""Predicted against measured latency of many networks: what a check of a table shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hwnas.report._style import LIGHT, Theme, add_legend, limits, new_figure
from latency_tables.model.agreement import Agreement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ("predicted", "winner", "supernet", "budget", "random")


def agreement_plot(groups: Sequence[tuple[str, Agreement]], theme: Theme = LIGHT) -> Figure:
    """Predicted against measured ms with intervals, and below it the error in percent; one colour a group."""
    figure, (top, bottom) = new_figure(theme, rows=2, ratios=(2.1, 1.0))
    every = [a.measured_ms for _, a in groups] + [a.prediction.ms for _, a in groups]
    ends = np.array(limits(*every))
    ends[0] = max(ends[0], 0.0)
    top.plot(ends, ends, color=theme.muted, linewidth=1, zorder=1)
    top.fill_between(ends, 0.95 * ends, 1.05 * ends, color=theme.muted, alpha=0.2, linewidth=0, label="± 5 %")
    bottom.axhline(0, color=theme.muted, linewidth=1, zorder=1)
    bottom.axhspan(-5, 5, color=theme.muted, alpha=0.2, linewidth=0)
    for (label, agreement), name in zip(groups, _COLOURS, strict=False):
        colour, p, measured_ms = getattr(theme, name), agreement.prediction, agreement.measured_ms
        top.vlines(measured_ms, p.lower_ms, p.upper_ms, color=colour, alpha=0.35, linewidth=1)
        text = f"{label}: {agreement.mape_pct:.2f} % off, {agreement.within_pct(5):.0f} % within ± 5 %"
        top.scatter(measured_ms, p.ms, s=14, color=colour, label=text, zorder=3)
        bottom.scatter(measured_ms, 100 * agreement.errors, s=14, color=colour, zorder=3)
    top.set_xlim(*ends)
    top.set_ylim(*ends)
    bottom.set_ylim(limits(*(100 * a.errors for _, a in groups), -7.5, 7.5, pad=0.12))
    top.set_ylabel("predicted (ms)")
    bottom.set_ylabel("error (%)")
    bottom.set_xlabel("measured (ms)")
    figure.align_ylabels()
    add_legend(figure, theme, columns=1)
    return figure
