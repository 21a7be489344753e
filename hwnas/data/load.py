"""One door for all sources of images."""

import os.path

from hwnas.data._base import DataError, Dataset
from hwnas.data.digits import load_digits
from hwnas.data.folder import load_folder
from hwnas.data.parquet import load_parquet


def load_dataset(
    source: str,
    *,
    test_source: str | None = None,
    size: int = 32,
    limit: int | None = None,
    mirror: bool | None = None,
) -> Dataset:
    """Images [3, size, size] of 'digits', of a .parquet file, or of a folder of class folders.

    `test_source` is the test split, of the same kind as `source`. `limit` keeps at most that many images of
    each. `mirror` says whether flips keep the label; None is the source's own: no for digits, else yes.
    DataError for another source, and for whatever is wrong inside one.
    """
    if source == "digits":
        check_source(source, test_source)
        return load_digits(size, limit, mirror=mirror is True)
    if os.path.isdir(source):
        return load_folder(source, test_source, size, limit, mirror=mirror is not False)
    if source.lower().endswith(".parquet"):
        return load_parquet(source, test_source, size, limit, mirror=mirror is not False)
    raise _no_source(source)


def check_source(source: str, test_source: str | None = None) -> None:
    """Raise DataError for sources that `load_dataset` could not even open; reads no image."""
    if source == "digits":
        if test_source is not None:
            raise DataError(f"digits has its own test split; leave out the test source {test_source!r}")
        return
    for given in (source, *([] if test_source is None else [test_source])):
        if not (os.path.isdir(given) or (os.path.isfile(given) and given.lower().endswith(".parquet"))):
            raise _no_source(given)


def _no_source(source: str) -> DataError:
    kinds = "give 'digits', a .parquet file, or a folder of class folders"
    if not os.path.exists(source):
        kind = "file" if source.lower().endswith(".parquet") else "folder"
        return DataError(f"no such {kind}: {source!r}; {kinds}")
    return DataError(f"data source {source!r}: {kinds}")
