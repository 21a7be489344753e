"""From images that are not decoded yet to a dataset: the steps that all sources share."""

from dataclasses import dataclass

import numpy as np

from hwnas.data._base import DataError, LabelledImages, Labels, Split, skipped_line
from hwnas.data._dataset import Dataset
from hwnas.data._decode import decode_items
from hwnas.data._memory import memory_bytes
from hwnas.data._source import Source, StreamedSplit
from hwnas.data._split import split_stratified, stratified_subset
from hwnas.data.options import ImageOptions

_MEMORY_SHARE = 1 / 4  # that decoded images may take before they are streamed


@dataclass(frozen=True, eq=False)
class Pool:
    """Labelled images of one file or folder; `labels` int64 [N] point into `classes`, which are those that occur."""

    where: str
    classes: tuple[str, ...]
    labels: Labels
    source: Source
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
    chosen = [(pool, rows, pool.labels[rows]) for rows in (kept[part] for part in parts)]
    notes = pool.notes
    if test is not None:
        labels = _test_labels(pool, test)
        rows = stratified_subset(labels, limit, options.seed)
        chosen.append((test, rows, labels[rows]))
        notes += test.notes
    stream = options.stream
    if stream is None:
        decoded_bytes = 3 * options.size**2 * sum(len(rows) for _, rows, _ in chosen)
        stream = decoded_bytes > _MEMORY_SHARE * memory_bytes()
    if stream:
        for part in (pool, *([] if test is None else [test])):
            _check_groups(part)
        notes += _sorted_note(pool)
    splits: list[LabelledImages] = []
    broken: list[str] = []
    for part, rows, labels in chosen:
        split = StreamedSplit(part.source, rows, labels, options.size, options.skip_broken)
        splits.append(split if stream else _in_memory(split, part.where, broken))
    notes += (skipped_line(broken),) if broken else ()
    return Dataset(name, splits[0], splits[1], splits[2], pool.classes, options.mirror, notes)


def _in_memory(split: StreamedSplit, where: str, broken: list[str]) -> Split:
    """The split decoded; messages of images that are left out go to `broken`."""
    decoded = decode_items(split.source.read(split.rows), len(split), split.side, split.skip_broken)
    broken += decoded.broken
    if not len(decoded.images):
        raise DataError(f"{where}: every image of a split is broken, the first: {broken[0]}")
    return Split(decoded.images, split.labels[decoded.positions])


def _check_groups(pool: Pool) -> None:
    groups = pool.source.groups
    if groups is not None and groups.nbytes.max() > groups.most_bytes:
        raise DataError(
            f"{pool.where}: a row group of {groups.nbytes.max() / 1e6:.0f} MB cannot be streamed, "
            f"{groups.most_bytes / 1e6:.0f} MB can; write the file again with row_group_size=1000"
        )


def _sorted_note(pool: Pool) -> tuple[str, ...]:
    """Rows that come class by class cannot be shuffled well: told where labels change far less than by chance."""
    groups, shares = pool.source.groups, np.bincount(pool.labels) / len(pool.labels)
    by_chance = len(pool.labels) * (1 - (shares**2).sum())
    if groups is None or np.count_nonzero(pool.labels[1:] != pool.labels[:-1]) > by_chance / 10:
        return ()
    return (
        f"{pool.where}: the rows come class by class, and at most {groups.most_rows} of them are shuffled with each "
        "other; write the files again in random order",
    )


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
