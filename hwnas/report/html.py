"""`report.html`: one file that opens anywhere, offline, with every plot inside it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.report import plots
from hwnas.report._base import ReportData
from hwnas.report._format import accuracy_text, ms_text, number_text, pct_text, seconds_text
from hwnas.report._style import DARK, HEIGHT_IN, LIGHT, ROW_IN, Theme
from latency_tables.storage.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
PLOTS: dict[str, Callable[[ReportData, Theme], Figure]] = {
    "pareto": plots.pareto_front,
    "predicted_vs_measured": plots.predicted_vs_measured,
    "op_breakdown": plots.op_breakdown,
    "training": plots.training_curves,
    "predictor": plots.predictor_fit,
    "seconds": plots.stage_seconds,
}
"""The plots by the name of their file, without '.png'."""


def plot_files(folder: Path) -> list[Path]:
    """The PNG files that `write_report` leaves in `folder`."""
    return [folder / f"{name}.png" for name in PLOTS]


def write_report(data: ReportData, folder: Path) -> Path:
    """Write `report.html` and one PNG a plot into `folder` (made if missing); returns the html's path.

    Every file appears whole or not at all, and the html last.
    """
    images = {}
    for name, plot in PLOTS.items():
        figure = plot(data, LIGHT)
        width_in, height_in = (float(x) for x in figure.get_size_inches())
        light, dark = _png(figure), _png(plot(data, DARK))
        write_atomically(folder / f"{name}.png", light)
        images[name] = {
            "light": _data_uri(light),
            "dark": _data_uri(dark),
            "rows": 1 + round((height_in - HEIGHT_IN) / ROW_IN),  # of the page's grid
            "width_px": round(width_in * DPI),
            "height_px": round(height_in * DPI),
        }
    path = folder / "report.html"
    write_atomically(path, _render(data, images).encode())
    return path


def verdict_text(data: ReportData) -> str:
    """How the measurement stands to the budget: '5.5 % under the budget'."""
    if not (math.isfinite(data.measured_ms) and data.budget_ms > 0):
        return "no measurement on the device"
    over_pct = 100 * (data.measured_ms / data.budget_ms - 1)
    text = f"{abs(over_pct):.1f} % {'over' if over_pct > 0 else 'under'} the budget"
    high_ms = data.measured_ci95_ms[1]
    if over_pct <= 0 and high_ms > data.budget_ms:
        text += f", but the 95 % interval reaches {ms_text(high_ms)}"
    return text


def scale_positions(data: ReportData) -> dict[str, float]:
    """Where the latencies of the verdict stand on one horizontal scale, 0..100; what is not finite is left out."""
    values_ms = {
        "budget": data.budget_ms,
        "predicted": data.predicted_ms,
        "predicted_low": data.predicted_lower_ms,
        "predicted_high": data.predicted_upper_ms,
        "measured": data.measured_ms,
        "measured_low": data.measured_ci95_ms[0],
        "measured_high": data.measured_ci95_ms[1],
    }
    known = {name: value for name, value in values_ms.items() if math.isfinite(value)}
    if not known:
        return {}
    low, high = min(known.values()), max(known.values())
    margin = 0.18 * (high - low) or 1.0
    return {name: round(100 * (value - low + margin) / (high - low + 2 * margin), 3) for name, value in known.items()}


def _render(data: ReportData, images: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as text; every value is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ms": ms_text,
        "pct": pct_text,
        "accuracy": accuracy_text,
        "duration": seconds_text,
        "number": number_text,
    }
    return environment.get_template("report.html.j2").render(
        d=data,
        images=images,
        verdict=verdict_text(data),
        scale=scale_positions(data),
        light=asdict(LIGHT),
        dark=asdict(DARK),
    )


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
