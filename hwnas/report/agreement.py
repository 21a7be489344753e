"""Predicted against measured latency of many networks: what a check of a table shows, and a report of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.report._base import Array
from hwnas.report._style import LIGHT, Theme, add_legend, limits, new_figure
from latency_tables.model.agreement import Agreement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAND_PCT = 5.0
"""Half the width, in percent, of the band that a good latency prediction stays in."""
_COLOURS = ("predicted", "winner", "supernet", "budget", "random")


def add_truth(figure: Figure, theme: Theme, ms: Sequence[Array], errors_pct: Sequence[Array]) -> None:
    """What a good prediction is: the diagonal and a band round it, in limits that show all of `ms` and the errors.

    The upper axes of the figure are for predicted against measured ms, the lower ones for the error in percent.
    """
    top, bottom = figure.axes
    low, high = limits(*ms)
    ends, band = np.array([max(low, 0.0), high]), BAND_PCT / 100
    style: dict[str, Any] = {"color": theme.muted, "alpha": 0.2, "linewidth": 0}
    top.plot(ends, ends, color=theme.muted, linewidth=1, zorder=1, gid="identity")
    top.fill_between(ends, (1 - band) * ends, (1 + band) * ends, label="± 5 %", gid="band", **style)
    bottom.axhline(0, color=theme.muted, linewidth=1, zorder=1)
    bottom.axhspan(-BAND_PCT, BAND_PCT, gid="band_pct", **style)
    top.set_xlim(*ends)
    top.set_ylim(*ends)
    bottom.set_ylim(limits(*errors_pct, -1.5 * BAND_PCT, 1.5 * BAND_PCT, pad=0.12))
    top.set_ylabel("predicted (ms)")
    bottom.set_ylabel("error (%)")
    bottom.set_xlabel("measured (ms)")
    figure.align_ylabels()


def agreement_plot(
    groups: Sequence[tuple[str, Agreement]], theme: Theme = LIGHT, measured_ci_ms: Array | None = None
) -> Figure:
    """Predicted against measured ms with intervals, and below it the error in percent; one colour per group.

    `measured_ci_ms`: intervals [n, 2] of what was measured, of the first group.
    """
    figure, (top, bottom) = new_figure(theme, rows=2, ratios=(2.1, 1.0))
    every = [ms for _, a in groups for ms in (a.measured_ms, *vars(a.prediction).values())]
    if measured_ci_ms is not None:
        every.append(measured_ci_ms)
        top.hlines(groups[0][1].prediction.ms, *measured_ci_ms.T, color=theme.ink, linewidth=1, gid="measured_ci")
    add_truth(figure, theme, every, [100 * a.errors for _, a in groups])
    for (label, agreement), name in zip(groups, _COLOURS, strict=False):
        colour, p, measured_ms = getattr(theme, name), agreement.prediction, agreement.measured_ms
        top.vlines(measured_ms, p.lower_ms, p.upper_ms, color=colour, alpha=0.35, linewidth=1)
        text = f"{label}: {agreement.mape_pct:.2f} % off, {agreement.within_pct(5):.0f} % within ± 5 %"
        top.scatter(measured_ms, p.ms, s=14, color=colour, label=text, zorder=3)
        bottom.scatter(measured_ms, 100 * agreement.errors, s=14, color=colour, zorder=3)
    add_legend(figure, theme, columns=1)
    return figure
