"""One door for all sources of images."""

import os.path
from pathlib import Path

from hwnas.data._base import DataError
from hwnas.data._dataset import Dataset
from hwnas.data._memory import return_freed_memory
from hwnas.data.digits import load_digits
from hwnas.data.folder import load_folder
from hwnas.data.options import ImageOptions
from hwnas.data.parquet import load_parquet, parquet_files

_KINDS = "give 'digits', a .parquet file, or a folder of class folders or of .parquet files"


def load_dataset(
    source: str,
    *,
    test_source: str | None = None,
    size: int = 32,
    limit: int | None = None,
    mirror: bool | None = None,
    stream: bool | None = None,
    skip_broken: bool = False,
) -> Dataset:
    """Images [3, size, size] of 'digits', of .parquet files, or of a folder of class folders.

    `source` is a file, a folder of .parquet files or of class folders, or a pattern such as `data/train-*.parquet`.
    `test_source` is the test split, of the same kind as `source`; ~ is the home folder in both. `limit` keeps at most
    that many images of each. `mirror` says whether flips keep the label; None is the source's own: no for digits,
    else yes. `stream`: decode images when they are asked for; None: where all of them, decoded, would take more than a
    quarter of the machine's memory. `skip_broken`: leave out files and images that cannot be read; the dataset's
    notes count them, those of streamed images `Batches.skipped`. DataError for another source, and for whatever is
    wrong inside one.
    """
    if source == "digits":
        check_source(source, test_source)
        return load_digits(size, limit, mirror is True, stream)
    options = ImageOptions(size, limit, mirror=mirror is not False, stream=stream, skip_broken=skip_broken)
    path, test_path = _found(source), None if test_source is None else _found(test_source)
    classes = path.is_dir() and not parquet_files(path)
    data = (load_folder if classes else load_parquet)(path, options, test_path)
    if data.train.streamed:
        return_freed_memory()
    return data


def check_source(source: str, test_source: str | None = None) -> None:
    """Raise DataError for sources that `load_dataset` could not even open; reads no image."""
    if source == "digits":
        if test_source is not None:
            raise DataError(f"digits has its own test split; leave out the test source {test_source!r}")
        return
    for given in (source, *([] if test_source is None else [test_source])):
        _found(given)


def _found(source: str) -> Path:
    """A folder, a .parquet file or a pattern of them, ~ being the home folder; DataError where there is none."""
    path = os.path.expanduser(source)
    there = os.path.exists(path) or ("*" in os.path.basename(path) and bool(parquet_files(Path(path))))
    if source and not there:
        raise DataError(f"no such file or folder: {path!r}; {_KINDS}")
    if not os.path.isdir(path) and not path.lower().endswith(".parquet"):
        raise DataError(f"data source {source!r}: {_KINDS}")
    return Path(path)
