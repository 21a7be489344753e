"""Plots that split a whole into parts: horizontal bars with their numbers in columns at the right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hwnas.report._base import Array, ReportData
from hwnas.report._format import number_text, pct_text, seconds_text
from hwnas.report._style import HEIGHT_IN, LIGHT, ROW_IN, Theme, new_figure, say_no_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BARS_A_ROW = 18
"""Bars that fit into the height of one plot."""
_LABEL_CHARACTERS = 32


def op_breakdown(data: ReportData, theme: Theme = LIGHT) -> Figure:
    """Where the winner's predicted milliseconds go, op by op in network order."""
    ms = np.asarray(data.op_ms, dtype=np.float64)
    decimals = 3 if np.nansum(ms) >= 1 else 4
    texts = [number_text(value, decimals) for value in ms]
    figure = _bars(data.op_labels, ms, texts, theme.winner, theme)
    figure.axes[0].set_xlabel("latency (ms)")
    return figure


def stage_seconds(data: ReportData, theme: Theme = LIGHT) -> Figure:
    """Where the run's own time went, stage by stage in the order they ran."""
    seconds = np.array(list(data.seconds.values()), dtype=np.float64)
    longest = float(np.nanmax(seconds, initial=0.0))
    unit, divisor = next((u for u in (("h", 3600.0), ("min", 60.0)) if longest >= 3 * u[1]), ("s", 1.0))
    texts = [seconds_text(value) for value in seconds]
    figure = _bars(list(data.seconds), seconds / divisor, texts, theme.supernet, theme)
    figure.axes[0].set_xlabel(f"time ({unit})")
    return figure


def _bars(labels: Sequence[str], values: Array, texts: Sequence[str], color: str, theme: Theme) -> Figure:
    """One bar [n] a label from top to bottom; `texts` and the share of the total stand at the right."""
    plot_rows = max(1, math.ceil(len(labels) / _BARS_A_ROW))
    figure, (ax,) = new_figure(theme, height_in=HEIGHT_IN + ROW_IN * (plot_rows - 1))
    if not len(labels):
        say_no_data(ax, theme)
        return figure
    shown = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    y = np.arange(len(labels))
    ax.barh(y, shown, height=min(0.72, 0.1 * len(labels) + 0.1), color=color)
    ax.set_yticks(y)
    ax.set_yticklabels([_shorten(label) for label in labels], parse_math=False, color=theme.ink, fontsize=8.5)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_xlim(0, 1.02 * float(shown.max()) or 1.0)
    ax.grid(visible=False, axis="y")
    total = float(shown.sum())
    width_pt = 6 + 5.6 * max(len(text) for text in texts)
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        share = pct_text(100 * value / total) if total > 0 else pct_text(math.nan)
        for column_pt, column_text in ((width_pt, text), (width_pt + 44, share)):
            ax.annotate(
                column_text,
                (1, row),
                xycoords=ax.get_yaxis_transform(),
                xytext=(column_pt, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8.5,
                color=theme.ink if column_text is text else theme.muted,
                annotation_clip=False,
            )
    return figure


def _shorten(label: str) -> str:
    """Labels that would leave no room for the bars lose their end."""
    return label if len(label) <= _LABEL_CHARACTERS else label[: _LABEL_CHARACTERS - 1] + "…"
