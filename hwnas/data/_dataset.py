"""What every loader returns: a dataset of three splits."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwnas.data._base import Floats, LabelledImages

_SAMPLE = 4096  # images: the error of a mean over them is below .005 of the range of values


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three disjoint splits; label i is `classes[i]`; `mirror`: a left-right flip keeps the label.

    `notes` are lines for whoever gave the images, such as how many files were skipped.
    """

    name: str
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
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
        return self.train.size

    @cached_property
    def digest(self) -> str:
        """The sha256, in hex, of all that training can see: images, labels, classes and mirror, not name and notes.

        Images in memory count by their pixels. Streamed ones count by the names and sizes of their files, the
        footers of Parquet files, rows and image size: a file that was changed in place to the same size is not noticed.
        """
        sha = hashlib.sha256(repr((self.classes, self.mirror)).encode())
        for split in (self.train, self.validation, self.test):
            split.update_digest(sha)
        return sha.hexdigest()

    @cached_property
    def mean_std(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the train images / 255, float32 [3] each; std is at least 1e-3.

        Of all images in memory; of 4,096 streamed ones, always the same.
        """
        rows = self.train.some(_SAMPLE if self.train.streamed else len(self.train))
        counts = np.zeros((3, 256))
        for start in range(0, len(rows), 1024):  # in blocks: all at once needs eight times the images
            images = self.train.take(rows[start : start + 1024]).images
            for channel in range(3):
                counts[channel] += np.bincount(images[:, channel].ravel(), minlength=256)
        share = counts / counts.sum(axis=1, keepdims=True)
        levels = np.arange(256) / 255
        mean = share @ levels
        std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(axis=1))
        return mean.astype(np.float32), np.maximum(std, 1e-3).astype(np.float32)
