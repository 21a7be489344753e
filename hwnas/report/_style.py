"""How every plot looks: two themes, one colour a concept (Okabe-Ito), one size, one kind of legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwnas.report._base import Array

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN, HEIGHT_IN = 6.0, 4.3
"""Inches of one plot; a plot that needs more room grows in height only."""
ROW_IN = HEIGHT_IN + 1.4
"""Inches from one plot to the one below it on the page, where a caption and a heading lie between them."""


@dataclass(frozen=True)
class Theme:
    """The colours of a page; `surface` is the background of cards and of the plots on them."""

    page: str
    surface: str
    ink: str
    muted: str
    line: str
    random: str
    predicted: str
    supernet: str = "#009E73"
    winner: str = "#D55E00"
    budget: str = "#CC79A7"


LIGHT = Theme("#f4f5f7", "#ffffff", "#1b1f24", "#626a74", "#e3e6ea", "#9aa1a9", "#0072B2")
DARK = Theme("#0f1217", "#191e25", "#e8eaed", "#9aa3ad", "#2c333c", "#78818b", "#56B4E9")


def new_figure(
    theme: Theme,
    rows: int = 1,
    columns: int = 1,
    height_in: float = HEIGHT_IN,
    ratios: tuple[float, ...] = (),
    share_x: bool = True,
) -> tuple[Figure, list[Axes]]:
    """A figure of `rows` x `columns` styled axes (row by row) that no pyplot state knows of; rows may share their x."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), facecolor=theme.surface, layout="constrained")
    grid = figure.subplots(
        rows, columns, squeeze=False, sharex=share_x and rows > 1, gridspec_kw={"height_ratios": ratios or [1.0] * rows}
    )
    axes: list[Axes] = list(grid.flat)
    for ax in axes:
        ax.set_facecolor(theme.surface)
        ax.set_axisbelow(True)
        ax.grid(color=theme.line, linewidth=0.8)
        ax.tick_params(colors=theme.muted, labelsize=9, length=0, pad=5)
        for side, spine in ax.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(theme.line)
        for label in (ax.xaxis.label, ax.yaxis.label):
            label.set_color(theme.ink)
            label.set_fontsize(9.5)
    return figure, axes


def add_legend(figure: Figure, theme: Theme, columns: int = 3) -> None:
    """One legend above all axes, where it can hide no data."""
    entries: dict[str, Artist] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside upper left",
            ncols=columns,
            frameon=False,
            fontsize=9,
            labelcolor=theme.ink,
            handletextpad=0.5,
            columnspacing=1.4,
        )


def say_no_data(ax: Axes, theme: Theme) -> None:
    """Write 'no data' in the middle of axes that have nothing to show."""
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, "no data", transform=ax.transAxes, ha="center", va="center", color=theme.muted)


def add_star(ax: Axes, theme: Theme, x: float, y: float, label: str | None = None, gid: str = "winner") -> None:
    """The network that won is the same star in every plot."""
    (line,) = ax.plot([x], [y], "*", color=theme.winner, markersize=15, zorder=6, label=label, gid=gid)
    line.set_markeredgecolor(theme.surface)


def finite(*arrays: Array) -> tuple[Array, ...]:
    """The entries at which all arrays [N] are finite: arrays [M] with M <= N."""
    stacked = np.stack([np.asarray(a, dtype=np.float64).ravel() for a in arrays])
    return tuple(stacked[:, np.isfinite(stacked).all(axis=0)])


def limits(*arrays: Array | float, pad: float = 0.06) -> tuple[float, float]:
    """Axis limits round all finite values with a margin, also when they are all equal or there are none."""
    values = np.concatenate([np.ravel(np.asarray(a, dtype=np.float64)) for a in arrays])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = pad * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin
