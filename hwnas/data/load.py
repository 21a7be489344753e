"""One door for all sources of images."""

import os.path
from pathlib import Path

from hwnas.data._base import DataError, Dataset
from hwnas.data.digits import load_digits
from hwnas.data.folder import load_folder
from hwnas.data.options import ImageOptions
from hwnas.data.parquet import load_parquet

_KINDS = "give 'digits', a .parquet file, or a folder of class folders"


def load_dataset(
    source: str,
    *,
    test_source: str | None = None,
    size: int = 32,
    limit: int | None = None,
    mirror: bool | None = None,
) -> Dataset:
    """Images [3, size, size] of 'digits', of a .parquet file, or of a folder of class folders.

    `test_source` is the test split, of the same kind as `source`; ~ is the home folder in both. `limit` keeps at most
    that many images of each. `mirror` says whether flips keep the label; None is the source's own: no for digits,
    else yes. DataError for another source, and for whatever is wrong inside one.
    """
    if source == "digits":
        check_source(source, test_source)
        return load_digits(size, limit, mirror=mirror is True)
    options = ImageOptions(size, limit, mirror=mirror is not False)
    path, test_path = _found(source), None if test_source is None else _found(test_source)
    return (load_folder if path.is_dir() else load_parquet)(path, options, test_path)


def check_source(source: str, test_source: str | None = None) -> None:
    """Raise DataError for sources that `load_dataset` could not even open; reads no image."""
    if source == "digits":
        if test_source is not None:
            raise DataError(f"digits has its own test split; leave out the test source {test_source!r}")
        return
    for given in (source, *([] if test_source is None else [test_source])):
        _found(given)


def _found(source: str) -> Path:
    """A folder or a .parquet file by its path, ~ being the home folder; DataError where there is none."""
    path = os.path.expanduser(source)
    if source and not os.path.exists(path):
        raise DataError(f"no such file or folder: {path!r}; {_KINDS}")
    if not os.path.isdir(path) and not path.lower().endswith(".parquet"):
        raise DataError(f"data source {source!r}: {_KINDS}")
    return Path(path)
