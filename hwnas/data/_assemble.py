"""From images that are not decoded yet to a dataset: the steps that all sources share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwnas.data._base import DataError, Dataset, Images, Labels, Split
from hwnas.data._split import split_stratified, stratified_subset

MAX_SIZE = 1024


@dataclass(frozen=True, eq=False)
class Pool:
    """Labelled images of one file or folder, decoded only on demand.

    `labels` int64 [N] point into `classes`, which are those that occur. `read(rows, size)` decodes the
    images of ascending rows to uint8 [n, 3, size, size] and raises DataError for one that is broken.
    """

    where: str
    classes: tuple[str, ...]
    labels: Labels
    read: Callable[[Labels, int], Images]


def assemble(
    name: str,
    pool: Pool,
    test: Pool | None = None,
    *,
    size: int,
    limit: int | None,
    validation_fraction: float,
    test_fraction: float,
    mirror: bool,
    seed: int,
) -> Dataset:
    """Split `pool` into train and validation, and into test too where `test` is not given.

    `limit` keeps that many images of `pool` and at most as many of `test`, in proportion to the classes.
    DataError for too few images or classes, for options out of range and for a test class unknown in `pool`.
    """
    held_out = [validation_fraction] if test is not None else [validation_fraction, test_fraction]
    fractions = [1 - sum(held_out), *held_out]
    if min(fractions) <= 0:
        raise DataError(f"held-out fractions {held_out}: each must be above 0 and their sum below 1")
    if not 1 <= size <= MAX_SIZE:
        raise DataError(f"image size {size}: give a number of pixels from 1 to {MAX_SIZE}")
    _check_classes(pool, limit)

    kept = _limited(pool.labels, limit, seed, at_least=3)
    parts = split_stratified(pool.labels[kept], fractions, pool.classes, seed, pool.where)
    splits = [Split(pool.read(kept[part], size), pool.labels[kept[part]]) for part in parts]
    if test is not None:
        labels = _test_labels(pool, test)
        rows = _limited(labels, limit, seed, at_least=1)
        splits.append(Split(test.read(rows, size), labels[rows]))
    return Dataset(name, splits[0], splits[1], splits[2], pool.classes, mirror)


def _check_classes(pool: Pool, limit: int | None) -> None:
    if len(pool.labels) == 0:
        raise DataError(f"{pool.where}: holds no images; give one with at least 3 images of each class")
    if len(pool.classes) < 2:
        raise DataError(
            f"{pool.where}: every image is of one class, {pool.classes[0]!r}; at least two classes are needed"
        )
    if limit is not None and limit < 3 * len(pool.classes):
        raise DataError(
            f"{pool.where}: a limit of {limit} images is too small for {len(pool.classes)} classes; "
            f"give at least {3 * len(pool.classes)}"
        )


def _limited(labels: Labels, limit: int | None, seed: int, at_least: int) -> Labels:
    return stratified_subset(labels, len(labels) if limit is None else limit, seed, at_least)


def _test_labels(pool: Pool, test: Pool) -> Labels:
    """The test pool's labels int64 [N] as indices into the train classes, matched by name."""
    if len(test.labels) == 0:
        raise DataError(f"{test.where}: holds no test images; give one that does, or no test source at all")
    index = {name: label for label, name in enumerate(pool.classes)}
    unknown = [name for name in test.classes if name not in index]
    if unknown:
        raise DataError(
            f"{test.where}: test class {unknown[0]!r} is unknown in {pool.where}; "
            "take its images out or add it to the train images"
        )
    return np.array([index[name] for name in test.classes], dtype=np.int64)[test.labels]
