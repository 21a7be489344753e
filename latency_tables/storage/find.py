"""Where tables lie: below some folders, or among those that ship with the package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency_tables.errors import HwnasError, TableError
from latency_tables.storage.files import PROVENANCE_FILE, ROWS_FILE, load_table
from latency_tables.table import LatencyTable


@dataclass(frozen=True)
class FoundTable:
    """A folder that holds a table, or what was one: then `table` is None and `problem` says why."""

    folder: Path
    table: LatencyTable | None = None
    problem: str | None = None


def shipped_tables() -> Path:
    """The folder of the tables that ship with this package; a version may have none."""
    return Path(__file__).parents[1] / "tables"


def find_tables(folders: Iterable[Path]) -> Sequence[FoundTable]:
    """Every table in or below `folders`, in the order of their paths; a damaged one is found too, with the reason.

    Links to folders are not followed. Raises `HwnasError` for a folder that is not there.
    """
    found: dict[Path, FoundTable] = {}
    for folder in folders:
        if not folder.is_dir():
            raise HwnasError(f"{folder} is not a folder; name one that holds latency tables")
        for where, inner, files in os.walk(folder):
            inner.sort()
            if {PROVENANCE_FILE, ROWS_FILE} & set(files):
                found.setdefault(Path(where), _load(Path(where)))
    return sorted(found.values(), key=lambda f: f.folder)


def _load(folder: Path) -> FoundTable:
    try:
        return FoundTable(folder, load_table(folder))
    except TableError as e:
        return FoundTable(folder, problem=str(e))
