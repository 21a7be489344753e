"""Rows, and a whole table, as CSV for spreadsheets and other people's scripts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from latency_tables.storage.rows import row_record
from latency_tables.table import LatencyTable


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """The rows of a CSV file, the first of which names the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def table_csv(table: LatencyTable) -> str:
    """Every column of every row, units in the names, one line per op; what is not known is an empty cell.

    Shapes are written `16x32x32`, settings `expand=3 kernel=5`, as in the op's key.
    """
    records = [row_record(row) for row in table.rows]
    for record in records:
        record["in_shape"] = "x".join(map(str, record["in_shape"]))
        record["settings"] = " ".join(f"{s['name']}={s['value']}" for s in record["settings"])
    return csv_text([list(records[0]) if records else [], *(record.values() for record in records)])
