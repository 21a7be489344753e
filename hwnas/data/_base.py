"""Labelled images, in memory or streamed, and the one error that every loader raises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latency_tables.errors import HwnasError

if TYPE_CHECKING:
    from hashlib import _Hash

Images: TypeAlias = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]
Boxes: TypeAlias = NDArray[np.float64]


class DataError(HwnasError):
    """Images or labels that cannot be used; one line that says what, where, and how to fix it."""


def reason(error: BaseException) -> str:
    """A library's message as one short line, or the error's name when it has no message."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def skipped_line(broken: Sequence[str], what: str = "image") -> str:
    """One line about broken images, or files, that were skipped, from their error messages."""
    more = f" | and {len(broken) - 3} more" if len(broken) > 3 else ""
    return f"{len(broken)} broken {what}(s) skipped: {' | '.join(broken[:3])}{more}"


@dataclass(frozen=True)
class Decoded:
    """Images uint8 [n, 3, h, w]; image i is the one that was asked for at `positions[i]`; `broken`: error messages."""

    images: Images
    positions: Rows
    broken: tuple[str, ...] = ()


class Fetched(ABC):
    """Images that were read but perhaps not decoded; picklable, so that another process can decode them."""

    @abstractmethod
    def decode(self, boxes: Boxes | None = None) -> Decoded:
        """All images, or the boxes of them, at the split's size.

        `boxes` [n, 4]: left, top, right, bottom as fractions of the width and height.
        Raises `DataError` for a broken image, unless the split skips these: then they are left out.
        """


class LabelledImages(ABC):
    """Images of one size with their labels int64 [N]. `streamed`: decoded when asked for, never all in memory."""

    labels: Labels
    streamed: bool

    @property
    @abstractmethod
    def size(self) -> int:
        """Height and width of the images, in pixels."""

    @abstractmethod
    def fetch(self, rows: Rows) -> Fetched:
        """The images of these rows, in any order, before they are decoded."""

    @abstractmethod
    def order(self, rng: np.random.Generator) -> Rows:
        """A permutation of all rows for one epoch, in an order that can be read fast."""

    @abstractmethod
    def some(self, most: int) -> Rows:
        """At most so many rows, always the same ones, for statistics that do not need all images."""

    @abstractmethod
    def update_digest(self, sha: _Hash) -> None:
        """Add what the images and labels are."""

    def take(self, rows: Rows) -> Split:
        """These rows in memory, less broken images where the split skips them; else raises `DataError`."""
        decoded = self.fetch(rows).decode()
        return Split(decoded.images, self.labels[rows[decoded.positions]])

    def blocks(self, size: int = 256) -> Iterator[Split]:
        """All rows in order, in memory block by block."""
        blocks = (np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size))
        yield from filter(len, map(self.take, blocks))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Split(LabelledImages):
    """Images uint8 [N, 3, H, W] in memory with their labels int64 [N]; ValueError when the two do not fit."""

    images: Images
    labels: Labels
    streamed = False

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[1] != 3:
            raise ValueError(f"images are {self.images.dtype} {self.images.shape}, not uint8 [N, 3, H, W]")
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels are {self.labels.dtype} {self.labels.shape}, not int64 [N] as the images")

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return int(self.images.shape[2])

    def fetch(self, rows: Rows) -> Fetched:
        """A copy of these rows."""
        return _Held(self.images[rows])

    def order(self, rng: np.random.Generator) -> Rows:
        """Any permutation."""
        return rng.permutation(len(self))

    def some(self, most: int) -> Rows:
        """Evenly spread: folders come class by class, and the first ones may all be of one."""
        count = min(most, len(self))
        return np.arange(count) * len(self) // max(count, 1)

    def update_digest(self, sha: _Hash) -> None:
        """Add the arrays."""
        for array in (self.images, self.labels):
            sha.update(repr(array.shape).encode())
            sha.update(np.ascontiguousarray(array).data)


@dataclass(frozen=True)
class _Held(Fetched):
    images: Images

    def decode(self, boxes: Boxes | None = None) -> Decoded:
        images = self.images
        if boxes is not None:
            from hwnas.data._decode import cropped

            images = np.stack([cropped(image, box) for image, box in zip(images, boxes, strict=True)])
        return Decoded(images, np.arange(len(images)))
