"""Encoded images in Parquet files, read by row groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.data._base import DataError, Rows, reason
from hwnas.data._decode import Encoded, Item
from hwnas.data._source import Groups, Source

IMAGE = "image.bytes"  # how Parquet spells both a flat column and the field `bytes` of a struct `image`
_BATCH = 256  # rows read at a time
_WINDOW_ROWS, _WINDOW_BYTES = 8192, 256 * 2**20  # what is shuffled together and kept in memory


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The pyarrow ParquetFile; what goes wrong inside, also in a damaged file, becomes a DataError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; check the path") from error
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, MemoryError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({reason(error)}); get it again") from error


@dataclass(frozen=True)
class Shard:
    """A Parquet file and how many rows and bytes of images its row groups have."""

    path: Path
    rows: tuple[int, ...]
    nbytes: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, file: Any) -> Shard:
        """From the file's own metadata."""
        column = [file.schema.column(i).path for i in range(len(file.schema))].index(IMAGE)
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        return cls(
            path,
            tuple(group.num_rows for group in groups),
            tuple(group.column(column).total_uncompressed_size for group in groups),
        )

    def identity(self) -> bytes:
        """The name, the size, and the sha256 of the footer, which says where and how large every column chunk is."""
        content_size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(-8, 2)
            footer = int.from_bytes(file.read(4), "little") + 8
            file.seek(-footer, 2)
            return f"{self.path.name} {content_size} {hashlib.sha256(file.read()).hexdigest()}\n".encode()


class Shards(Source):
    """The images of some shards, one after the other. Keeps the row groups read last, about a window of them."""

    def __init__(self, shards: list[Shard], most_rows: int = _WINDOW_ROWS, most_bytes: int = _WINDOW_BYTES):
        self._shards = shards
        self._places = [(shard, i) for shard in shards for i in range(len(shard.rows))]
        rows = np.array([shard.rows[i] for shard, i in self._places], np.int64)
        nbytes = np.array([shard.nbytes[i] for shard, i in self._places], np.int64)
        self._groups = Groups(np.cumsum(rows) - rows, rows, nbytes, most_rows, most_bytes)
        self._kept: dict[int, Any] = {}
        self._failed: dict[int, DataError] = {}

    @property
    def groups(self) -> Groups:
        """The row groups."""
        return self._groups

    def identity(self) -> Iterator[bytes]:
        """That of every shard."""
        return (shard.identity() for shard in self._shards)

    def read(self, rows: Rows) -> Iterator[Item]:
        """A row group too large to keep is read in passing; its rows must ascend then."""
        groups = self._groups.of(rows)
        for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(groups)) + 1):
            if len(run):
                group = int(groups[run[0]])
                yield from self._read(group, rows[run] - self._groups.starts[group])

    def _read(self, group: int, rows: Rows) -> Iterator[Item]:
        """Rows of one group, counted from its start."""
        shard, i = self._places[group]
        first, end, given = sum(shard.rows[:i]), 0, 0
        try:
            for column in self._columns(group):
                inside = rows[(rows >= end) & (rows < end + len(column))]
                for row, value in zip(inside.tolist(), column.take(inside - end).to_pylist(), strict=True):
                    given += 1
                    where = f"{shard.path}, row {first + row} (from 0)"
                    missing = DataError(f"{where}: no image bytes; add them or take the row out")
                    yield Encoded(value, where) if isinstance(value, bytes) else missing
                end += len(column)
            if given < len(rows):
                what = f"ends at row {first + end} of its images"
                raise DataError(f"{shard.path}: not a readable Parquet file ({what}); get it again")
        except DataError as error:
            self._failed[group] = error
            yield from [error] * (len(rows) - given)

    def _columns(self, group: int) -> Iterator[Any]:
        """The bytes of a group's images, in one piece where they can be kept."""
        import pyarrow as pa

        if group in self._failed:
            raise self._failed[group]
        if self._groups.nbytes[group] > self._groups.most_bytes:
            yield from self._pieces(group)
            return
        if group not in self._kept:
            self._kept[group] = pa.chunked_array(list(self._pieces(group)) or [pa.array([], pa.binary())])
            self._forget()
        yield self._kept[group]

    def _pieces(self, group: int) -> Iterator[Any]:
        """Batch by batch, from the file."""
        import pyarrow as pa
        import pyarrow.compute as pc

        shard, i = self._places[group]
        with opened(shard.path) as file:
            for batch in file.iter_batches(batch_size=_BATCH, row_groups=[i], columns=[IMAGE]):
                column = batch.column(0)
                if pa.types.is_struct(column.type):
                    column = pc.struct_field(column, "bytes")
                yield column

    def _forget(self) -> None:
        """The groups read first go, while there are too many."""
        limits, kept = self._groups, self._kept
        while len(kept) > 1 and (
            sum(map(len, kept.values())) > limits.most_rows
            or sum(column.nbytes for column in kept.values()) > limits.most_bytes
        ):
            del kept[next(iter(kept))]
