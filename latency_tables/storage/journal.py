"""Append-only record of measurements: kill -9 at any moment loses at most the record in flight."""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from latency_tables.errors import HwnasError
from latency_tables.storage.locks import open_locked
from latency_tables.storage.serialise import parse_json


class JournalError(HwnasError):
    """A journal that belongs to other work, is in use, or cannot be written."""


def _encode(record: Mapping[str, Any]) -> bytes:
    body = json.dumps(record, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(line: bytes) -> dict[str, Any] | None:
    """The record of a whole, undamaged line without its newline, else None."""
    checksum, _, body = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        record = parse_json(body)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _sorted(lines: Sequence[bytes]) -> tuple[list[Any], list[dict[str, Any]], int]:
    """Headers, records, and how many are damaged, of lines without their newlines."""
    good = [record for record in map(_decode, lines) if record is not None]
    headers = [record["header"] for record in good if "header" in record]
    return headers, [record for record in good if "header" not in record], len(lines) - len(good)


class Journal:
    """JSON lines with a checksum each, fsynced one by one; the first line says what work they belong to.

    Damaged lines are left out on reading and counted in `damaged`: their work is simply done again.
    Use as a context manager. Raises `JournalError` when the file belongs to other work (`header` differs),
    when another process is writing it, or when the disk is full.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]):
        self.path = path
        self._header = json.loads(json.dumps(dict(header)))
        self._file = self._open()
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> FileIO:
        try:
            return open_locked(self.path)
        except BlockingIOError:
            raise JournalError(f"{self.path} is being written by another process; wait for it or stop it") from None
        except OSError as e:
            raise JournalError(f"cannot write the journal {self.path}: {e.strerror}") from None

    def _read(self) -> None:
        content = self._file.read(os.fstat(self._file.fileno()).st_size)  # not to the end: a device has none
        lines = content.removesuffix(b"\n").split(b"\n") if content else []
        headers, self.records, self.damaged = _sorted(lines)
        if any(h != self._header for h in headers):
            raise JournalError(f"{self.path} is the journal of other work; use another folder or delete it")
        if self.records and not headers:
            raise JournalError(f"{self.path} is damaged where it says what work it belongs to; delete it")
        if content and not content.endswith(b"\n"):
            self._write(b"\n")  # a record cut by a kill: end its line so that the next one stands alone
        if not headers:
            self.append({"header": self._header})

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record and wait until it is on the disk."""
        self._write(_encode(record))
        if "header" not in record:
            self.records.append(dict(record))

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())
        except OSError as e:
            if e.errno == errno.EINVAL:  # fsync on a special file
                return
            raise JournalError(
                f"cannot write {self.path}: {e.strerror}; what was measured before is kept, "
                "so free some space and start again"
            ) from None

    def close(self) -> None:
        """Close the file and release the lock."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)


class StoredJournal(NamedTuple):
    """What a journal holds: its header, its undamaged records, and how many damaged ones were left out."""

    header: dict[str, Any]
    records: list[dict[str, Any]]
    damaged: int


def read_journal(path: Path) -> StoredJournal:
    """Read a journal, changing nothing; a last record that was cut by a kill is neither read nor counted.

    Raises `JournalError` when there is no such journal, or it is damaged where it says what work it belongs to.
    """
    try:
        *lines, cut = path.read_bytes().split(b"\n")
    except OSError as e:
        raise JournalError(f"cannot read the journal {path}: {e.strerror}") from None
    headers, records, damaged = _sorted(lines if _decode(cut) is None else [*lines, cut])
    if not headers or any(h != headers[0] or not isinstance(h, dict) for h in headers):
        raise JournalError(f"{path} is no journal, or damaged where it says what work it belongs to")
    return StoredJournal(headers[0], records, damaged)
