"""Networks that a user wrote, as rows of a CSV file or one by one, and what is wrong with them in one line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from hwnas.spaces import Genotype, SearchSpace
from latency_tables import HwnasError


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str | None]]]:
    """The rows of a CSV file with the number of the line that each ends on; the first one names the columns.

    Raises `HwnasError` when it cannot be read, is no CSV file, or lacks one of `columns`.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            # strict: a quote left open is an error, not half a file in one field
            reader = csv.DictReader(file, strict=True)
            rows = [(reader.line_num, row) for row in reader]
            names = reader.fieldnames or ()
    except OSError as e:
        raise HwnasError(f"cannot read {path}: {e.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as e:
        raise HwnasError(f"{path} is not a CSV file: {e}") from None
    if lacking := [c for c in columns if c not in names]:
        named = f"column {columns[0]}" if len(columns) == 1 else f"columns {' and '.join(columns)}"
        raise HwnasError(f"{path} has no column {lacking[0]!r}; its first row must name the {named}")
    return rows


def read_arch(space: SearchSpace, text: str | None, where: str) -> Genotype:
    """The network that a text of the space names; raises `HwnasError` that begins with `where` it stands."""
    try:
        return space.from_text(text or "")
    except HwnasError as e:
        raise HwnasError(f"{where}: {e}") from None
