"""Latency tables on disk: `rows.parquet`, a `provenance.json` that people can read and diff, `reference.onnx`.

Nothing is unpickled. One digest over the bytes of all three is checked before any of them is parsed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from latency_tables.errors import HwnasError, TableError
from latency_tables.op import Op
from latency_tables.table import LatencyTable, OpCost, Provenance, TableRow
from latency_tables.target import Target

FORMAT = 1
_ROWS, _PROVENANCE, _REFERENCE = "rows.parquet", "provenance.json", "reference.onnx"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never half; `HwnasError` when it cannot be."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as e:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise HwnasError(f"cannot write {path}: {e.strerror}") from None


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _digest(rows: bytes, reference: bytes, provenance: Mapping[str, Any]) -> str:
    parts = [hashlib.sha256(rows).hexdigest(), hashlib.sha256(reference).hexdigest(), dict(provenance)]
    return digest_json(parts)


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
        ]
    )


def _row_record(row: TableRow) -> dict[str, Any]:
    record = asdict(row)
    op, cost = record.pop("op"), record.pop("cost")
    settings = [{"name": name, "value": value} for name, value in op["settings"]]
    identity = {"op": row.op.key, "kind": op["kind"], "in_shape": list(op["in_shape"]), "settings": settings}
    return {**identity, **record, **cost}


def _row(record: dict[str, Any]) -> TableRow:
    op = Op.of(record["kind"], tuple(record["in_shape"]), **{s["name"]: s["value"] for s in record["settings"]})
    cost = OpCost(record["weight_mb"], record["macs"], record["params"])
    identity = {"op", "kind", "in_shape", "settings", "weight_mb", "macs", "params"}
    return TableRow(op, cost, **{k: v for k, v in record.items() if k not in identity})


def save_table(table: LatencyTable, folder: Path) -> None:
    """Write the table into `folder`. The provenance goes last, so a half-written table never reads as whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([_row_record(r) for r in table.rows], _schema()), buffer)
    rows = buffer.getvalue()
    provenance = {"format": FORMAT, **asdict(table.provenance)}
    provenance["digest"] = _digest(rows, table.reference_model, provenance)
    write_atomically(folder / _REFERENCE, table.reference_model)
    write_atomically(folder / _ROWS, rows)
    write_atomically(folder / _PROVENANCE, (json.dumps(provenance, indent=2) + "\n").encode())


def load_table(folder: Path) -> LatencyTable:
    """Read a table; raises `TableError` in one line when it is missing, damaged or of a newer format."""
    import pyarrow.parquet as pq

    try:
        rows = (folder / _ROWS).read_bytes()
        reference = (folder / _REFERENCE).read_bytes()
        provenance = json.loads((folder / _PROVENANCE).read_bytes())
    except OSError as e:
        raise TableError(f"{folder} is not a latency table: {e.filename}: {e.strerror}") from None
    except ValueError:
        raise TableError(_damaged(folder)) from None
    if not isinstance(provenance, dict):
        raise TableError(_damaged(folder))
    if isinstance(provenance.get("format"), int) and provenance["format"] > FORMAT:
        raise TableError(f"{folder} was written by a newer hwnas (format {provenance['format']}); update hwnas")
    if provenance.pop("digest", None) != _digest(rows, reference, provenance):
        raise TableError(_damaged(folder))
    provenance.pop("format", None)
    # From here on the bytes are the ones that save_table wrote.
    records = pq.read_table(io.BytesIO(rows), schema=_schema()).to_pylist()
    target = Target(**provenance.pop("target"))
    return LatencyTable(tuple(map(_row, records)), Provenance(target=target, **provenance), reference)


def _damaged(folder: Path) -> str:
    return f"the latency table {folder} is truncated or damaged (its digest does not match); profile again"
