"""From images that are not decoded yet to a dataset: the steps that all sources share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwnas.data._base import DataError, Dataset, Images, Labels, Split
from hwnas.data._split import split_stratified, stratified_subset
from hwnas.data.options import ImageOptions


@dataclass(frozen=True, eq=False)
class Pool:
    """Labelled images of one file or folder, decoded only on demand.

    `labels` int64 [N] point into `classes`, which are those that occur. `read(rows, size)` decodes the
    images of ascending rows to uint8 [n, 3, size, size] and raises DataError for one that is broken. `notes` are
    those of the dataset.
    """

    where: str
    classes: tuple[str, ...]
    labels: Labels
    read: Callable[[Labels, int], Images]
    notes: tuple[str, ...] = ()


def assemble(name: str, pool: Pool, test: Pool | None, options: ImageOptions) -> Dataset:
    """Split `pool` into train and validation, and into test too where `test` is None.

    The limit is one for `pool` and one for `test`. DataError for too few images or classes, for options out of range
    and for a test class unknown in `pool`.
    """
    fractions, limit = options.fractions(with_test=test is None), options.limit
    _check_classes(pool, limit)
    kept = stratified_subset(pool.labels, limit, options.seed, at_least=3)
    parts = split_stratified(pool.labels[kept], fractions, pool.classes, options.seed, pool.where)
    splits = [Split(pool.read(kept[part], options.size), pool.labels[kept[part]]) for part in parts]
    notes = pool.notes
    if test is not None:
        labels = _test_labels(pool, test)
        rows = stratified_subset(labels, limit, options.seed)
        splits.append(Split(test.read(rows, options.size), labels[rows]))
        notes += test.notes
    return Dataset(name, splits[0], splits[1], splits[2], pool.classes, options.mirror, notes)


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
