"""Folders of images, one folder a class."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.data._assemble import Pool, assemble
from hwnas.data._base import DataError, Labels, Rows, reason
from hwnas.data._dataset import Dataset
from hwnas.data._decode import Encoded
from hwnas.data._source import Source
from hwnas.data.options import ImageOptions

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"})
_KINDS_TOLD = 3


def load_folder(path: str | Path, options: ImageOptions, test_path: str | Path | None = None) -> Dataset:
    """Images [3, size, size] from PATH/class/*, or from PATH/train/class/* with PATH/test/class/* as test.

    `test_path`, a folder of class folders, takes the place of PATH/test; other folders beside train and
    test are not read. With a limit, images that are not kept are not decoded. The dataset's notes say how many
    files were skipped, hidden ones not counted.
    DataError for a missing folder, a class folder without images, a broken image or an option out of range.
    """
    root = Path(path)
    train, test = root, None if test_path is None else Path(test_path)
    inside = {folder.name for folder in _folders(root)}
    # a class may be called train: only folders inside it make it the train split
    if {"train", "test"} <= inside and _folders(root / "train"):
        train, test = root / "train", test or root / "test"
    return assemble(root.resolve().name, _pool(train), None if test is None else _pool(test), options)


class _Files(Source):
    """Image files by their class folder and name; the names are one Arrow array, for there may be a million."""

    def __init__(self, folders: list[Path], labels: Labels, names: Any):
        self._folders, self._labels, self._names = folders, labels, names

    def _path(self, row: int) -> Path:
        folder, name = self._folders[self._labels[row]], os.fsdecode(self._names[row].as_py())
        return Path(folder, name)

    def read(self, rows: Rows) -> Iterator[Encoded]:
        """Their paths: whoever decodes them reads the files."""
        for path in map(self._path, rows.tolist()):
            yield Encoded(path, str(path))

    def identity(self) -> Iterator[bytes]:
        """Names of classes and files, sizes of files."""
        for folder in self._folders:
            yield os.fsencode(folder.name)
        for row in range(len(self._labels)):
            path = self._path(row)
            yield os.fsencode(path.name) + b" %d\n" % path.stat().st_size


def _entries(folder: Path) -> list[Path]:
    """What the folder holds, less hidden entries, by name: file systems give them in any order."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no such folder; check the path") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: cannot be read as a folder ({reason(error)}); check the path") from error


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _pool(folder: Path) -> Pool:
    """The class folders as a pool: files are listed now and decoded when they are asked for."""
    import pyarrow as pa

    classes = _folders(folder)
    if not classes:
        raise DataError(f"{folder}: holds no class folders; put the images of each class in a folder of its own")
    names: list[Any] = []
    counts: list[int] = []
    skipped: list[Path] = []
    for class_folder in classes:
        entries = _entries(class_folder)
        images = [file for file in entries if file.suffix.lower() in EXTENSIONS]
        skipped += [file for file in entries if file.suffix.lower() not in EXTENSIONS]
        if not images:
            raise DataError(
                f"{class_folder}: a class folder without images ({', '.join(sorted(EXTENSIONS))}); "
                "add some or remove the folder"
            )
        names.append(pa.array([os.fsencode(file.name) for file in images], pa.binary()))
        counts.append(len(images))
    labels = np.repeat(np.arange(len(classes)), counts)
    source = _Files(classes, labels, pa.chunked_array(names).combine_chunks())
    return Pool(str(folder), tuple(c.name for c in classes), labels, source, _notes(folder, skipped))


def _notes(folder: Path, skipped: list[Path]) -> tuple[str, ...]:
    """What to say of files that are not read: how many of which kind, the most frequent first."""
    if not skipped:
        return ()
    kinds = Counter("folder" if p.is_dir() else p.suffix.lower() or "no extension" for p in skipped)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_KINDS_TOLD))
    more = f", {len(kinds) - _KINDS_TOLD} more kinds" if len(kinds) > _KINDS_TOLD else ""
    read = ", ".join(sorted(EXTENSIONS))
    return (f"{folder}: {len(skipped)} file(s) skipped ({counts}{more}); only {read} are read, convert the others",)
