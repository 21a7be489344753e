"""The rows of a table as a Parquet file, with units in the column names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from latency_tables.storage.serialise import from_plain
from latency_tables.table import TableRow

# Far beyond any space; a file that says more than this is not read at all.
MOST_ROWS = 100_000
_MOST_VALUES = 50 * MOST_ROWS
_MOST_BYTES = 2**28

_IN_OP = ("op", "kind", "in_shape", "settings")
_IN_COST = ("weight_mb", "macs", "params")
_LATER = ("throttled_rounds", "peak_memory_mb", "energy_mj")
"""Columns that older tables of this format lack; their fields have defaults."""


def _schema() -> Any:
    import pyarrow as pa

    real, count, text = pa.float64(), pa.int64(), pa.string()
    settings = pa.list_(pa.struct([("name", text), ("value", count)]))
    return pa.schema(
        [
            ("op", text),
            ("kind", text),
            ("in_shape", pa.list_(count)),
            ("settings", settings),
            ("median_us", real),
            ("ci95_low_us", real),
            ("ci95_high_us", real),
            ("min_us", real),
            ("raw_median_us", real),
            ("groups", count),
            ("rounds", count),
            ("weight_mb", real),
            ("macs", count),
            ("params", count),
            ("stop_reason", text),
            ("error", text),
            ("throttled_rounds", count),
            ("peak_memory_mb", real),
            ("energy_mj", real),
        ]
    )


def row_record(row: TableRow) -> dict[str, Any]:
    """One row as column name -> value."""
    fields = asdict(row)
    op, cost = fields.pop("op"), fields.pop("cost")
    settings = [{"name": name, "value": value} for name, value in row.op.settings]
    identity = {"op": row.op.key, "kind": op["kind"], "in_shape": list(row.op.in_shape), "settings": settings}
    return {**identity, **fields, **cost}


def rows_to_parquet(rows: Sequence[TableRow]) -> bytes:
    """The bytes of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([row_record(r) for r in rows], _schema()), buffer)
    return bytes(buffer.getvalue())


def rows_from_parquet(content: bytes) -> tuple[TableRow, ...]:
    """The rows of a Parquet file that may have come from anywhere.

    Raises ValueError in one line when it is not Parquet, has other columns than ours, is far too big, or when a row
    is unsound: a value of another type, a time that is not positive, the same op twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # arrow's own reader: with a Python file its threads may outlive the interpreter and abort it at exit
    file = _decoded(lambda: pq.ParquetFile(pa.BufferReader(content)))
    _require_columns(_decoded(lambda: file.schema_arrow))
    _require_size(_decoded(lambda: file.metadata))
    rows = tuple(map(_row, _decoded(lambda: file.read(use_threads=False).to_pylist())))
    if len({row.op for row in rows}) < len(rows):
        raise ValueError("an op has two rows")
    return rows


def _decoded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as e:  # what pyarrow raises on damaged bytes is of a dozen unrelated classes
        raise ValueError(f"its rows cannot be decoded: {type(e).__name__}") from None


def _require_columns(found: Any) -> None:
    ours = _schema()
    if foreign := [name for name in found.names if name not in ours.names]:
        raise ValueError(f"column {ascii(foreign[0])[:40]} is none of a latency table's")
    for column in ours:
        copies = found.names.count(column.name)
        if copies == 0 and column.name in _LATER:
            continue
        if copies != 1 or found.field(column.name).type != column.type:
            raise ValueError(f"it must have one column {column.name} of type {column.type}")


def _require_size(meta: Any) -> None:
    chunks = [meta.row_group(g).column(c) for g in range(meta.num_row_groups) for c in range(meta.num_columns)]
    if meta.num_rows > MOST_ROWS or sum(c.num_values for c in chunks) > _MOST_VALUES:
        raise ValueError(f"it has {meta.num_rows} rows, or rows of many values; a table has {MOST_ROWS} at most")
    if (size := sum(c.total_uncompressed_size for c in chunks)) > _MOST_BYTES:
        raise ValueError(f"its rows are {size / 1e6:.0f} MB; a table's are {_MOST_BYTES / 1e6:.0f} MB at most")


def _row(record: dict[str, Any]) -> TableRow:
    settings = record["settings"]
    op = {
        "kind": record["kind"],
        "in_shape": record["in_shape"],
        "settings": settings and [(s["name"], s["value"]) if s else s for s in settings],
    }
    cost = {name: record[name] for name in _IN_COST}
    rest = {name: value for name, value in record.items() if name not in (*_IN_OP, *_IN_COST)}
    row = from_plain(TableRow, {"op": op, "cost": cost, **rest})
    names = [name for name, _ in row.op.settings]
    if row.op.key != record["op"] or names != sorted(set(names)):
        raise ValueError(f"op {ascii(record['op'])[:60]} does not agree with its kind, shape and settings")
    times = [t for t in (row.median_us, row.min_us, row.raw_median_us) if t is not None]
    bounds = [t for t in (row.ci95_low_us, row.ci95_high_us) if t is not None]
    counts = [row.groups, row.rounds, row.throttled_rounds, row.cost.weight_mb, row.cost.macs, row.cost.params]
    counts += [r for r in (row.peak_memory_mb, row.energy_mj) if r is not None]
    if any(t <= 0 for t in times) or bounds != sorted(bounds) or min(counts) < 0:
        raise ValueError(f"a number of op {ascii(record['op'])[:60]} cannot be: {[*times, *bounds, *counts]}")
    return row
