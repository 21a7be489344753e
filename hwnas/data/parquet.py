"""Parquet files in the Hugging Face image layout."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.data._assemble import Pool, assemble
from hwnas.data._base import DataError, Labels, skipped_line
from hwnas.data._dataset import Dataset
from hwnas.data._shards import IMAGE, Shard, Shards, opened
from hwnas.data.options import ImageOptions


def load_parquet(train_path: str | Path, options: ImageOptions, test_path: str | Path | None = None) -> Dataset:
    """Images [3, size, size] from columns `image` (struct with `bytes`) or `image.bytes`, and `label`.

    A path is one file, a folder of them, or a pattern such as `data/validation-*.parquet`; a folder's train*.parquet
    and test*.parquet are its splits where it has both, and of train*.parquet and others only those are read.
    Labels are whole numbers or strings; classes are those that occur, in ascending order, named by the
    Hugging Face metadata where there are any. With a limit, images that are not kept are not decoded.
    DataError for whatever is wrong with a file, its columns, labels or images, or with an option.
    """
    train, test = _files(Path(train_path)), None if test_path is None else _files(Path(test_path))
    if Path(train_path).is_dir():
        test = test or _named(train, "test")
        train = _named(train, "train") or train
    parts = [_read(files, options.skip_broken) for files in (train, test) if files]
    known = next(filter(None, (part.names for part in parts)), [])  # one file may lack the metadata that the other has
    pools = [_pool(part, part.names or known) for part in parts]
    return assemble(_dataset_name(Path(train_path)), pools[0], pools[1] if test else None, options)


def parquet_files(path: Path) -> list[Path]:
    """The file itself, the .parquet files of a folder, or those that fit a pattern; in order of their names."""
    if path.is_dir():
        return sorted(path.glob("[!.]*.parquet"))
    return sorted(path.parent.glob(path.name)) if "*" in path.name else [path]


def _files(path: Path) -> list[Path]:
    files = parquet_files(path)
    if not files:
        raise DataError(f"{path}: not a readable Parquet file (none is there); check the path")
    return files


def _named(files: list[Path], split: str) -> list[Path]:
    return [file for file in files if file.name.startswith(split)]


def _dataset_name(path: Path) -> str:
    """The file's stem, or its folder's name where the file is only called train or train-00000-of-00001."""
    path = path.resolve()
    if path.is_dir():
        return path.name
    return path.parent.name if path.stem.startswith("train") or "*" in path.name else path.stem


@dataclass(frozen=True)
class _Part:
    """The shards of one source: where, labels [N] as indices into ascending `keys`, names of keys if there are any."""

    where: str
    shards: list[Shard]
    keys: list[Any]
    labels: Labels
    names: list[str]
    notes: tuple[str, ...]


def _read(paths: list[Path], skip_broken: bool) -> _Part:
    """Labels are read and checked now, images when they are asked for."""
    found: list[tuple[Shard, list[Any], Labels, list[str]]] = []
    broken: list[str] = []
    for path in paths:
        try:
            with opened(path) as file:
                found.append((_shard(path, file), *_labels(path, file.read(columns=["label"]).column(0)), _names(file)))
        except DataError as error:
            if not skip_broken or len(broken) + 1 == len(paths):
                raise
            broken.append(str(error))
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0].parent}/*.parquet"
    shards, keys, labels, names = map(list, zip(*found, strict=True))
    if len({type(key) for part in keys for key in part}) > 1:
        raise DataError(f"{where}: column 'label' holds numbers in some files and strings in others; give one of them")
    if len(different := {tuple(own) for own in names if own}) > 1:
        raise DataError(f"{where}: {len(different)} different lists of label names in the Hugging Face metadata")
    every = sorted({key for part in keys for key in part})
    index = {key: i for i, key in enumerate(every)}
    dense = [np.array([index[k] for k in part], np.int64)[own] for part, own in zip(keys, labels, strict=True)]
    notes = (skipped_line(broken, "file"),) if broken else ()
    return _Part(where, shards, every, np.concatenate(dense), list(*different), notes)


def _shard(path: Path, file: Any) -> Shard:
    leaves = [file.schema.column(i).path for i in range(len(file.schema))]
    found = file.schema_arrow.names
    if IMAGE not in leaves or "label" not in found:
        raise DataError(
            f"{path}: needs the columns 'image' (a struct with 'bytes') or 'image.bytes', and 'label'; "
            f"found {', '.join(map(repr, found)) or 'none'}; rename or add them"
        )
    return Shard.of(path, file)


def _names(file: Any) -> list[str]:
    """The label names in the Hugging Face metadata; empty when there are none, or none that can be used."""
    metadata = file.schema_arrow.metadata or {}
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"]["label"]["names"]
        usable = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return names if usable and len(set(names)) == len(names) else []
    except (LookupError, TypeError, ValueError, RecursionError):
        return []


def _pool(part: _Part, names: list[str]) -> Pool:
    """Classes get their names."""
    classes = [str(key) for key in part.keys]
    if names and part.keys and isinstance(part.keys[0], int):
        if part.keys[-1] >= len(names):
            raise DataError(
                f"{part.where}: label {part.keys[-1]} has no name among the {len(names)} in the Hugging Face metadata; "
                "fix the label or the metadata"
            )
        classes = [names[key] for key in part.keys]
    return Pool(part.where, tuple(classes), part.labels, Shards(part.shards), part.notes)


def _labels(path: Path, column: Any) -> tuple[list[Any], Labels]:
    """Which labels occur, int or str, and which of them each row has; DataError for a label that is neither."""
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
        encoded = column.combine_chunks().dictionary_encode()
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)
    values: Labels = column.cast(pa.int64()).to_numpy()
    if len(values) and values.min() < 0:
        row = int(np.argmax(values < 0))
        raise DataError(
            f"{path}, row {row} (from 0): the label {values[row]} is negative, as in files without labels; "
            "give it a label of 0 or more, or take the row out"
        )
    keys, labels = np.unique(values, return_inverse=True)
    return keys.tolist(), labels.astype(np.int64)
