"""The whole networks a table is calibrated on, beside its rows: `networks.csv` with architecture text and ms."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from latency_tables.errors import TableError
from latency_tables.storage.files import write_atomically

NETWORKS_FILE = "networks.csv"
_COLUMNS = ["arch", "ms"]


def write_networks(folder: Path, networks: Sequence[tuple[str, float]]) -> None:
    """Write (architecture text, milliseconds at the table's reference speed) beside the table in `folder`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *((arch, repr(ms)) for arch, ms in networks)])
    write_atomically(folder / NETWORKS_FILE, text.getvalue().encode())


def read_networks(folder: Path) -> list[tuple[str, float]]:
    """What `write_networks` wrote, or [] when there is none; raises `TableError` naming a row that cannot be right."""
    path = folder / NETWORKS_FILE
    if not path.exists():
        return []
    try:
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode())))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise TableError(f"cannot read {path}: {e}; calibrate again") from None
    if not rows or rows[0] != _COLUMNS:
        raise TableError(f"{path} must begin with the line {','.join(_COLUMNS)}; calibrate again")
    return [_network(path, number, row) for number, row in enumerate(rows[1:], 2)]


def _network(path: Path, number: int, row: Sequence[str]) -> tuple[str, float]:
    try:
        arch, text = row
        ms = float(text)
    except ValueError:
        raise TableError(f"{path} line {number} is not an architecture and its milliseconds") from None
    if not math.isfinite(ms) or ms <= 0:
        raise TableError(f"{path} line {number}: {text} ms cannot be a latency")
    return arch, ms
