"""What every loader returns: a dataset of three splits, and the one error that they raise."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from latency_tables.errors import HwnasError

Images: TypeAlias = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float32]


class DataError(HwnasError):
    """Images or labels that cannot be used; one line that says what, where, and how to fix it."""


def reason(error: BaseException) -> str:
    """A library's message as one short line, or the error's name when it has no message."""
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 [N, 3, H, W] with their labels int64 [N]; ValueError when the two do not fit."""

    images: Images
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[1] != 3:
            raise ValueError(f"images are {self.images.dtype} {self.images.shape}, not uint8 [N, 3, H, W]")
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels are {self.labels.dtype} {self.labels.shape}, not int64 [N] as the images")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three disjoint splits; label i is `classes[i]`; `mirror`: a left-right flip keeps the label.

    `notes` are lines for whoever gave the images, such as how many files were skipped.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mirror: bool
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """How many classes the labels tell apart."""
        return len(self.classes)

    @property
    def size(self) -> int:
        """Height and width of the images, in pixels."""
        return int(self.train.images.shape[2])

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of all that training can see: arrays, classes and mirror, but not name and notes."""
        sha = hashlib.sha256(repr((self.classes, self.mirror)).encode())
        for split in (self.train, self.validation, self.test):
            for array in (split.images, split.labels):
                sha.update(repr(array.shape).encode())
                sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    @cached_property
    def mean_std(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the train images / 255, float32 [3] each; std is at least 1e-3."""
        counts = np.zeros((3, 256))
        for start in range(0, len(self.train), 1024):  # in blocks: all at once needs eight times the images
            for channel in range(3):
                block = self.train.images[start : start + 1024, channel]
                counts[channel] += np.bincount(block.ravel(), minlength=256)
        share = counts / counts.sum(axis=1, keepdims=True)
        levels = np.arange(256) / 255
        mean = share @ levels
        std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(axis=1))
        return mean.astype(np.float32), np.maximum(std, 1e-3).astype(np.float32)
