"""The whole networks a table is calibrated on, beside its rows: `networks.csv` with architecture text and ms."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latency_tables.errors import TableError
from latency_tables.storage.files import load_table, read_file, save_provenance, write_atomically

NETWORKS_FILE = "networks.csv"
_COLUMNS = ["arch", "ms"]


def save_networks(folder: Path, networks: Sequence[tuple[str, float]]) -> None:
    """Write (architecture text, milliseconds at the table's reference speed) beside the table in `folder`.

    Their digest goes into the table's provenance, and so under the digest of the table.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *((arch, repr(ms)) for arch, ms in networks)])
    content, provenance = text.getvalue().encode(), load_table(folder).provenance
    write_atomically(folder / NETWORKS_FILE, content)
    save_provenance(folder, replace(provenance, networks_sha256=hashlib.sha256(content).hexdigest()))


def read_networks(folder: Path, sha256: str = "") -> list[tuple[str, float]]:
    """What `save_networks` wrote, or [] when there is none.

    `sha256` is what the table's provenance says of it, "" when it says nothing (made by hand, or by an older version).
    Raises `TableError` when the digest is another, naming a row that cannot be right where there is no digest.
    """
    path = folder / NETWORKS_FILE
    if not path.exists():
        return []
    try:
        content = read_file(path)
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise TableError(f"{path} was edited or damaged: the table says otherwise; delete it and calibrate again")
        rows = list(csv.reader(io.StringIO(content.decode())))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise TableError(f"cannot read {path}: {e}; calibrate again") from None
    if not rows or rows[0] != _COLUMNS:
        raise TableError(f"{path} must begin with the line {','.join(_COLUMNS)}; calibrate again")
    return [_network(path, number, row) for number, row in enumerate(rows[1:], 2)]


def networks_match(folder: Path) -> bool:
    """Whether `networks.csv` is there, and is what the provenance of the table beside it says."""
    try:
        sha256 = load_table(folder).provenance.networks_sha256
        return sha256 != "" and bool(read_networks(folder, sha256))
    except TableError:
        return False


def _network(path: Path, number: int, row: Sequence[str]) -> tuple[str, float]:
    try:
        arch, text = row
        ms = float(text)
    except ValueError:
        raise TableError(f"{path} line {number} is not an architecture and its milliseconds") from None
    if not math.isfinite(ms) or ms <= 0:
        raise TableError(f"{path} line {number}: {text} ms cannot be a latency")
    return arch, ms
