"""Stratified choice of rows: in proportion to the classes, deterministic, disjoint."""

from collections.abc import Iterator, Sequence

import numpy as np

from hwnas.data._base import DataError, Labels


def apportion(weights: Sequence[float], total: int, at_least: Sequence[int]) -> list[int]:
    """Whole numbers that sum to `total`, as near to the weights' proportions as `at_least` allows.

    Largest remainder, the first one winning a tie. `total` must be at least the sum of `at_least`.
    """
    floor = np.array(at_least)
    quota = np.array(weights, dtype=float) * total / sum(weights)
    parts = np.maximum(np.floor(quota).astype(int), floor)
    while parts.sum() < total:
        parts[np.argmax(quota - parts)] += 1
    while parts.sum() > total:
        parts[np.argmax(np.where(parts > floor, parts - quota, -np.inf))] -= 1
    return [int(part) for part in parts]


def stratified_subset(labels: Labels, size: int | None, seed: int, at_least: int = 1) -> Labels:
    """Rows (int64, ascending) of `size` of the labels (None: all), every class with `at_least` rows or all it has."""
    if size is None or size >= len(labels):
        return np.arange(len(labels))
    groups = list(_shuffled_groups(labels, seed))
    counts = [len(group) for group in groups]
    keep = apportion(counts, size, [min(at_least, count) for count in counts])
    return np.sort(np.concatenate([group[:n] for group, n in zip(groups, keep, strict=True)]))


def split_stratified(
    labels: Labels, fractions: Sequence[float], classes: Sequence[str], seed: int, where: str
) -> list[Labels]:
    """Rows (int64, ascending) of one part per fraction; the parts are disjoint and cover all the labels.

    Every part holds every class. DataError names `where` and a class with fewer images than there are parts.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < len(fractions):
        few = int(np.argmin(counts))
        raise DataError(
            f"{where}: class {classes[few]!r} has {counts[few]} image(s), the splits need {len(fractions)}: "
            "add images to that class or leave it out"
        )
    part_of = np.empty(len(labels), np.int8)  # a byte per row: there may be millions
    for group in _shuffled_groups(labels, seed):
        sizes = apportion(fractions, len(group), [1] * len(fractions))
        part_of[group] = np.repeat(np.arange(len(fractions)), sizes)
    return [np.flatnonzero(part_of == part) for part in range(len(fractions))]


def _shuffled_groups(labels: Labels, seed: int) -> Iterator[Labels]:
    """The rows of each class that occurs, in class order, each shuffled."""
    rng = np.random.default_rng(seed)
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels))
    return (rng.permutation(group) for group in np.split(order, ends[:-1]) if len(group))
