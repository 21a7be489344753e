"""Latency tables on disk: `rows.parquet`, a `provenance.json` that people can read and diff, `reference.onnx`.

Nothing is unpickled. One digest over the bytes of all three is checked before rows and provenance are made of them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from latency_tables.errors import HwnasError, TableError
from latency_tables.storage.rows import rows_from_parquet, rows_to_parquet
from latency_tables.storage.serialise import from_plain, parse_json
from latency_tables.table import LatencyTable, Provenance

FORMAT = 1
ROWS_FILE, PROVENANCE_FILE, REFERENCE_FILE = "rows.parquet", "provenance.json", "reference.onnx"
_MOST_BYTES = 2**30


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends; when it raises, `path` stays as it was.

    `mode` is that of the new file, less the umask. Raises `HwnasError` when it cannot be written.
    """
    # Nobody can know its name beforehand, and O_EXCL follows no link that lies there.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise HwnasError(f"cannot write {path}: it is a device, which a file must not replace")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as e:
        raise HwnasError(f"cannot write {path}: {e.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new content, never half; `HwnasError` when it cannot be."""
    with replacing(path) as file:
        file.write(content)


def json_bytes(value: Any, indent: int = 1) -> bytes:
    """A JSON value as a file that people can read and diff; NaN and infinity become null, as JSON has none."""
    return (json.dumps(plain_json(value), indent=indent, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value atomically, see `json_bytes` and `write_atomically`."""
    write_atomically(path, json_bytes(value))


def plain_json(value: Any) -> Any:
    """A value as it comes back from JSON: lists for tuples and arrays, None for NaN and infinity."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def digest_json(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _digest(rows: bytes, reference: bytes, provenance: Mapping[str, Any]) -> str:
    parts = [hashlib.sha256(rows).hexdigest(), hashlib.sha256(reference).hexdigest(), dict(provenance)]
    return digest_json(parts)


def save_table(table: LatencyTable, folder: Path) -> None:
    """Write the table into `folder`. The provenance goes last, so a half-written table never reads as whole."""
    rows = rows_to_parquet(table.rows)
    write_atomically(folder / REFERENCE_FILE, table.reference_model)
    write_atomically(folder / ROWS_FILE, rows)
    _save_provenance(folder, table.provenance, rows, table.reference_model)


def save_provenance(folder: Path, provenance: Provenance) -> None:
    """Give the table in `folder` another provenance; its rows and its reference model are not touched."""
    _save_provenance(folder, provenance, read_file(folder / ROWS_FILE), read_file(folder / REFERENCE_FILE))


def _save_provenance(folder: Path, provenance: Provenance, rows: bytes, reference: bytes) -> None:
    content = {"format": FORMAT, **asdict(provenance)}
    content["digest"] = _digest(rows, reference, content)
    write_atomically(folder / PROVENANCE_FILE, json_bytes(content, indent=2))


def load_table(folder: Path) -> LatencyTable:
    """Read a table; raises `TableError` in one line when it is missing, damaged, foreign or of a newer format."""
    try:
        rows, reference, text = (read_file(folder / name) for name in (ROWS_FILE, REFERENCE_FILE, PROVENANCE_FILE))
    except OSError as e:
        raise TableError(f"{folder} is not a latency table: {e.filename}: {e.strerror}") from None
    try:
        provenance = parse_json(text)
        if not isinstance(provenance, dict):
            raise ValueError("its provenance is no JSON object")
        format_ = provenance.get("format")
        if type(format_) is int and FORMAT < format_ < 1000:
            raise TableError(f"{folder} was written by a newer hwnas (format {format_}); update hwnas")
        if provenance.pop("digest", None) != _digest(rows, reference, provenance):
            raise ValueError("its digest does not match")
        # Whoever edits a table can make the digest match, so nothing is taken on trust from here on either.
        if provenance.pop("format", None) != FORMAT:
            raise ValueError("its format is unknown")
        return LatencyTable(rows_from_parquet(rows), _sound(from_plain(Provenance, _of_today(provenance))), reference)
    except (ValueError, RecursionError) as e:
        raise TableError(f"the latency table {folder} is truncated or damaged ({e}); profile again") from None


def read_file(path: Path) -> bytes:
    """The content of a regular file of at most 1 GiB; raises OSError for anything else, also for pipes and devices."""
    mode = path.stat()
    if not (stat.S_ISREG(mode.st_mode) or stat.S_ISDIR(mode.st_mode)):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))  # a pipe would keep us waiting
    if mode.st_size > _MOST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return path.read_bytes()


def _of_today(provenance: dict[str, Any]) -> dict[str, Any]:
    """A provenance as it is written today: the pruning used to be the name of a number of the protocol."""
    protocol = provenance.get("protocol")
    old = [name for name in protocol if name.startswith("pruning ")] if isinstance(protocol, dict) else []
    if not old:
        return provenance
    others = {name: value for name, value in provenance["protocol"].items() if name not in old}
    return {"pruning": old[0].removeprefix("pruning "), **provenance, "protocol": others}


def _sound(provenance: Provenance) -> Provenance:
    """The provenance; raises ValueError when a number in it cannot be."""
    target = provenance.target
    if provenance.reference_us <= 0 or provenance.seconds < 0 or target.batch < 1 or target.threads < 1:
        raise ValueError("a time, a batch or a thread count of its provenance cannot be")
    if provenance.relative_half_width < 0:
        raise ValueError("the interval of its provenance cannot be less than 0")
    return provenance
