"""Parquet files in the Hugging Face image layout."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.data._assemble import Pool, assemble
from hwnas.data._base import DataError, Dataset, Images, Labels, reason
from hwnas.data._decode import decode
from hwnas.data.options import ImageOptions

IMAGE = "image.bytes"  # how Parquet spells both a flat column and the field `bytes` of a struct `image`
BATCH = 256  # rows read at a time


def load_parquet(train_path: str | Path, options: ImageOptions, test_path: str | Path | None = None) -> Dataset:
    """Images [3, size, size] from columns `image` (struct with `bytes`) or `image.bytes`, and `label`.

    Labels are whole numbers or strings; classes are those that occur, in ascending order, named by the
    Hugging Face metadata where there are any. With a limit, images that are not kept are not decoded.
    DataError for whatever is wrong with a file, its columns, labels or images, or with an option.
    """
    paths = [Path(path) for path in (train_path, test_path) if path is not None]
    names = [_class_names(path) for path in paths]
    known = next(filter(None, names), [])  # one file may lack the metadata that the other has
    train, *test = [_pool(path, own or known) for path, own in zip(paths, names, strict=True)]
    return assemble(_dataset_name(paths[0]), train, test[0] if test else None, options)


def _dataset_name(path: Path) -> str:
    """The file's stem, or its folder's name where the file is only called train or train-00000-of-00001."""
    return path.resolve().parent.name if path.stem.startswith("train") else path.stem


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
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


def _class_names(path: Path) -> list[str]:
    """The label names in the Hugging Face metadata; empty when there are none, or none that can be used."""
    with _opened(path) as file:
        metadata = file.schema_arrow.metadata or {}
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"]["label"]["names"]
        usable = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return names if usable and len(set(names)) == len(names) else []
    except (LookupError, TypeError, ValueError, RecursionError):
        return []


def _pool(path: Path, names: list[str]) -> Pool:
    """The file as a pool: labels are read and checked now, images when they are asked for."""
    with _opened(path) as file:
        leaves = [file.schema.column(i).path for i in range(len(file.schema))]
        found = file.schema_arrow.names
        if IMAGE not in leaves or "label" not in found:
            raise DataError(
                f"{path}: needs the columns 'image' (a struct with 'bytes') or 'image.bytes', and 'label'; "
                f"found {', '.join(map(repr, found)) or 'none'}; rename or add them"
            )
        values = _label_values(path, file.read(columns=["label"]).column(0))
    keys, labels = np.unique(values, return_inverse=True)
    classes = [str(key) for key in keys]
    if names and keys.dtype == np.int64 and len(keys):
        if keys[-1] >= len(names):
            raise DataError(
                f"{path}: label {keys[-1]} has no name among the {len(names)} in the Hugging Face metadata; "
                "fix the label or the metadata"
            )
        classes = [names[key] for key in keys]
    return Pool(str(path), tuple(classes), labels.astype(np.int64), partial(_read_images, path))


def _label_values(path: Path, column: Any) -> np.ndarray[Any, Any]:
    """The label column [N] as int64, or as object holding str; DataError for a label that is neither."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if not text and not pa.types.is_integer(column.type):
        raise DataError(f"{path}: column 'label' holds {column.type}; give whole numbers or strings")
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise DataError(f"{path}, row {row} (from 0): the label is null; give it one or take the row out")
    if text:
        return np.array(column.to_pylist(), dtype=object)
    values: Labels = column.cast(pa.int64()).to_numpy()
    if len(values) and values.min() < 0:
        row = int(np.argmax(values < 0))
        raise DataError(
            f"{path}, row {row} (from 0): the label {values[row]} is negative, as in files without labels; "
            "give it a label of 0 or more, or take the row out"
        )
    return values


def _read_images(path: Path, rows: Labels, size: int) -> Images:
    """uint8 [len(rows), 3, size, size] of ascending rows; the file is read in batches, not as a whole."""
    import pyarrow as pa
    import pyarrow.compute as pc

    images: list[Images] = []
    start = 0
    with _opened(path) as file:
        for batch in file.iter_batches(batch_size=BATCH, columns=[IMAGE]):
            wanted = rows[(rows >= start) & (rows < start + len(batch))]
            column = batch.column(0)
            if pa.types.is_struct(column.type):
                column = pc.struct_field(column, "bytes")
            for row, value in zip(wanted, column.take(pa.array(wanted - start)).to_pylist(), strict=True):
                where = f"{path}, row {row} (from 0)"
                if not isinstance(value, bytes):
                    raise DataError(f"{where}: no image bytes; add them or take the row out")
                images.append(decode(value, size, where))
            start += len(batch)
    if len(images) < len(rows):
        raise DataError(f"{path}: not a readable Parquet file (ends at row {start} of its images); get it again")
    return np.stack(images)
