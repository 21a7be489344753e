"""Numbers as text. What is not a finite number is an en dash everywhere."""

import math

DASH = "–"


def number_text(value: float, decimals: int) -> str:
    """`value` with that many decimals; a dash for NaN and infinities."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else DASH


def ms_text(ms: float) -> str:
    """Milliseconds with about four digits: '0.0312 ms', '4.213 ms', '42.13 ms', '421.3 ms'."""
    if not math.isfinite(ms):
        return DASH
    decimals = next((d for limit, d in ((0.1, 4), (10, 3), (100, 2)) if abs(ms) < limit), 1)
    return f"{ms:.{decimals}f} ms"


def pct_text(percent: float) -> str:
    """A number that is a percentage already, with one decimal: '3.4 %'."""
    return f"{percent:.1f} %" if math.isfinite(percent) else DASH


def accuracy_text(fraction: float) -> str:
    """A fraction (0..1) as percent with two decimals: '92.31 %'."""
    return f"{100 * fraction:.2f} %" if math.isfinite(fraction) else DASH


def seconds_text(seconds: float) -> str:
    """A duration in the two largest units that matter: '0.42 s', '42 s', '3 min 20 s', '2 h 05 min'."""
    if not math.isfinite(seconds):
        return DASH
    if seconds < 9.5:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
