"""The plots of the report, one function a plot; each returns a Figure that belongs to nobody else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.report._base import Array, Curve, ReportData
from hwnas.report._format import ms_text, number_text, pct_text, seconds_text
from hwnas.report._style import (
    HEIGHT_IN,
    LIGHT,
    ROW_IN,
    Theme,
    add_legend,
    add_star,
    finite,
    limits,
    new_figure,
    say_no_data,
)
from hwnas.report.agreement import add_truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_BARS_A_ROW = 18
"""Bars that fit into the height of one plot."""
_LABEL_CHARACTERS = 32


def pareto_front(data: ReportData, theme: Theme = LIGHT) -> Figure:
    """Predicted score of the supernet (%) against latency (ms): random networks, the front, the winner, the budget."""
    random_ms, random_pct = finite(data.random_ms, 100 * data.random_accuracy)
    order = np.argsort(data.front_ms, kind="stable")
    order = order[np.isfinite(data.front_ms + data.front_accuracy)[order]]
    front_ms, upper_ms = data.front_ms[order], data.front_upper_ms[order]
    front_pct, std_pct = 100 * data.front_accuracy[order], 100 * data.front_std[order]
    winner_pct, budget_ms, measured_ms = 100 * data.winner_accuracy, data.budget_ms, data.measured_ms

    figure, (ax,) = new_figure(theme)
    if not (len(random_ms) or len(front_ms) or np.isfinite([data.predicted_ms, winner_pct]).all()):
        say_no_data(ax, theme)
        return figure
    x_low, x_high = limits(
        random_ms, front_ms, upper_ms, budget_ms, data.predicted_ms, data.predicted_upper_ms, measured_ms
    )
    ax.scatter(random_ms, random_pct, s=9, color=theme.random, alpha=0.45, linewidths=0, label="random", gid="random")
    band: dict[str, Any] = {"alpha": 0.18, "linewidth": 0.0}
    ax.fill_between(front_ms, front_pct - std_pct, front_pct + std_pct, color=theme.predicted, gid="std", **band)
    ax.hlines(front_pct, front_ms, upper_ms, color=theme.predicted, alpha=0.4, linewidth=1, gid="upper")
    line: dict[str, Any] = {"markersize": 4.0, "linewidth": 1.5}
    ax.plot(front_ms, front_pct, "o-", color=theme.predicted, label="front ± 1 std", gid="front", **line)
    if np.isfinite(budget_ms):
        label = f"budget {ms_text(budget_ms)}"
        ax.axvline(budget_ms, color=theme.budget, linewidth=2, linestyle="--", label=label, gid="budget")
        ax.axvspan(budget_ms, x_high, color=theme.budget, label="over budget", gid="over_budget", **band)
    ax.hlines(winner_pct, data.predicted_lower_ms, data.predicted_upper_ms, color=theme.winner, linewidth=2, zorder=4)
    add_star(ax, theme, data.predicted_ms, winner_pct, f"winner predicted {ms_text(data.predicted_ms)}")
    if np.isfinite(measured_ms):
        label = f"winner measured {ms_text(measured_ms)}"
        ax.axvline(measured_ms, color=theme.winner, linewidth=1.5, label=label, gid="winner_measured")
    ax.set_xlim(x_low, x_high)
    ax.set_ylim(limits(random_pct, front_pct - std_pct, front_pct + std_pct, winner_pct))
    ax.set_xlabel("latency (ms)")
    ax.set_ylabel("predicted true-class probability (%)")
    add_legend(figure, theme)
    return figure


def predicted_vs_measured(data: ReportData, theme: Theme = LIGHT) -> Figure:
    """Predicted against measured latency (ms), and below it the error in percent of the measurement."""
    calibration = _pairs(data.calibration_measured_ms, data.calibration_predicted_ms)
    heldout = _pairs(data.heldout_measured_ms, data.heldout_predicted_ms)
    winner = _pairs(np.array([data.measured_ms]), np.array([data.predicted_ms]))

    figure, (top, bottom) = new_figure(theme, rows=2, ratios=(2.1, 1.0))
    if not any(len(group[0]) for group in (calibration, heldout, winner)):
        say_no_data(top, theme)
        say_no_data(bottom, theme)
        return figure
    interval_ms = np.array([data.predicted_lower_ms, data.predicted_upper_ms])
    errors_pct = [_error_pct(p, m) for m, p in (calibration, heldout, winner)]
    interval_pct = _error_pct(interval_ms, np.repeat(winner[0], 2)) if len(winner[0]) else winner[0]
    add_truth(figure, theme, [*calibration, *heldout, *winner, interval_ms], [*errors_pct, interval_pct])
    top.lines[0].set_label("identity")
    for (measured_ms, predicted_ms), face, label in (
        (calibration, theme.surface, "calibration"),
        (heldout, theme.predicted, "held out"),
    ):
        _points(top, measured_ms, predicted_ms, face, theme.predicted, label)
        _points(bottom, measured_ms, _error_pct(predicted_ms, measured_ms), face, theme.predicted, label)
    if len(winner[0]):
        top.vlines(data.measured_ms, *interval_ms, color=theme.winner, linewidth=2, zorder=4)
        bottom.vlines(data.measured_ms, *interval_pct, color=theme.winner, linewidth=2, zorder=4)
        add_star(top, theme, data.measured_ms, data.predicted_ms, "winner, 90 % interval")
        add_star(bottom, theme, data.measured_ms, float(errors_pct[-1][0]))
    add_legend(figure, theme)
    return figure


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


def training_curves(data: ReportData, theme: Theme = LIGHT) -> Figure:
    """Loss and accuracy (%) by epoch, of the supernet and of the winner that was trained on its own."""
    figure, (loss, accuracy) = new_figure(theme, columns=2)
    for curve, color, name in (
        (data.supernet_curve, theme.supernet, "supernet"),
        (data.winner_curve, theme.winner, "winner"),
    ):
        _curve(loss, curve, "loss", 1, color, "-", name)
        _curve(accuracy, curve, "validation_accuracy", 100, color, "-", name)
        _curve(accuracy, curve, "train_accuracy", 100, color, ":", f"{name} on training data")
    for ax, label in ((loss, "loss"), (accuracy, "accuracy (%)")):
        if not ax.lines:
            say_no_data(ax, theme)
        ax.set_title(label, fontsize=9.5, color=theme.ink, loc="left")
        ax.set_xlabel("epoch")
    add_legend(figure, theme)
    return figure


def predictor_fit(data: ReportData, theme: Theme = LIGHT) -> Figure:
    """Predicted scores (%) of held-out networks against what the supernet gives them (%)."""
    true_pct, predicted_pct = finite(100 * data.predictor_true, 100 * data.predictor_predicted)
    figure, (ax,) = new_figure(theme)
    if not len(true_pct):
        say_no_data(ax, theme)
        return figure
    low, high = limits(true_pct, predicted_pct)
    ax.plot([low, high], [low, high], color=theme.muted, linewidth=1, zorder=1, label="identity", gid="identity")
    _points(ax, true_pct, predicted_pct, theme.predicted, theme.predicted, "held out")
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_xlabel("true-class probability with the supernet's weights (%)")
    ax.set_ylabel("predicted true-class probability (%)")
    add_legend(figure, theme)
    return figure


def _pairs(measured_ms: Array, predicted_ms: Array) -> tuple[Array, Array]:
    """Both arrays [N] where they are finite and there is something to divide by."""
    measured_ms, predicted_ms = finite(measured_ms, predicted_ms)
    return measured_ms[measured_ms > 0], predicted_ms[measured_ms > 0]


def _error_pct(predicted_ms: Array, measured_ms: Array) -> Array:
    """How far the predictions [N] lie above (+) or below (-) the measurements [N], in percent of these."""
    return np.asarray(100 * (predicted_ms / measured_ms - 1))


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


def _points(ax: Axes, x: Array, y: Array, face: str, edge: str, label: str) -> None:
    """Networks as dots, filled or (with the surface's colour) hollow."""
    ax.scatter(x, y, s=24, facecolors=face, edgecolors=edge, linewidths=1.1, label=label, gid=label)


def _curve(ax: Axes, curve: Curve, key: str, scale: float, color: str, line: str, label: str) -> None:
    """One line of a training curve; epochs at which it was not evaluated (NaN) are bridged."""
    epoch, values = finite(curve["epoch"], scale * curve[key]) if key in curve else (np.empty(0), np.empty(0))
    if len(epoch):
        marker = "o" if len(epoch) < 12 else ""
        ax.plot(epoch, values, marker=marker, markersize=4, color=color, linestyle=line, linewidth=1.8, label=label)
