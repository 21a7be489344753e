"""Where encoded images come from, and a split that decodes them when they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.data._base import Fetched, LabelledImages, Labels, Rows
from hwnas.data._decode import EncodedImages, Item

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True, eq=False)
class Groups:
    """Runs of rows that are read together: where each starts [G], how many rows and bytes it has [G].

    `most_rows` and `most_bytes` of them, or one, can be kept in memory.
    """

    starts: Rows
    rows: Rows
    nbytes: NDArray[np.int64]
    most_rows: int
    most_bytes: int

    def of(self, rows: Rows) -> Rows:
        """The group of each row."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def windows(self, groups: Rows) -> Iterator[Rows]:
        """Neighbours in `groups` joined while they can be kept together."""
        start, rows, nbytes = 0, 0, 0
        for i, group in enumerate(groups):
            rows, nbytes = rows + self.rows[group], nbytes + self.nbytes[group]
            if i > start and (rows > self.most_rows or nbytes > self.most_bytes):
                yield groups[start:i]
                start, rows, nbytes = i, self.rows[group], self.nbytes[group]
        yield groups[start:]


class Source(ABC):
    """Encoded images by their row; without `groups` any row can be read as fast as its neighbour."""

    @property
    def groups(self) -> Groups | None:
        """How rows are read together."""
        return None

    @abstractmethod
    def read(self, rows: Rows) -> Iterator[Item]:
        """The images of these rows, one after the other; what cannot be read comes as the error."""

    @abstractmethod
    def identity(self) -> Iterator[bytes]:
        """What tells these images from others, without reading all of them."""


@dataclass(frozen=True, eq=False)
class StreamedSplit(LabelledImages):
    """Some `rows` of a source, ascending, with their labels; decoded to [3, size, size] when asked for."""

    source: Source
    rows: Rows
    labels: Labels
    side: int
    skip_broken: bool = False
    streamed = True

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.side

    def fetch(self, rows: Rows) -> Fetched:
        """The encoded images; the files are read now."""
        return EncodedImages(tuple(self.source.read(self.rows[rows])), self.side, self.skip_broken)

    def order(self, rng: np.random.Generator) -> Rows:
        """A permutation; where rows are read in groups: groups in random order, rows shuffled within a few groups.

        No group is needed again after its window, so an epoch reads every file once.
        """
        groups = self.source.groups
        if groups is None:
            return rng.permutation(len(self))
        ends = np.append(np.searchsorted(self.rows, groups.starts), len(self))
        order, done = np.empty(len(self), np.int64), 0
        for window in groups.windows(rng.permutation(np.flatnonzero(np.diff(ends)))):
            rows = np.concatenate([np.arange(ends[group], ends[group + 1]) for group in window])
            order[done : done + len(rows)] = rng.permutation(rows)
            done += len(rows)
        return order

    def some(self, most: int) -> Rows:
        """The first rows of a shuffled epoch: files of folders are sorted by class."""
        return self.order(np.random.default_rng(0))[:most]

    def update_digest(self, sha: _Hash) -> None:
        """Add the source's identity, which rows these are, their labels and size."""
        for part in self.source.identity():
            sha.update(part)
        for array in (self.rows, self.labels):
            sha.update(np.ascontiguousarray(array).data)
        sha.update(repr((len(self), self.side)).encode())
