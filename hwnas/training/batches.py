"""From a data split to normalised, augmented torch batches, reproducible epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwnas.data import Dataset, Split


@dataclass(frozen=True)
class Batch:
    """Normalised images [n, 3, h, w] in channels-last memory and labels [n]."""

    images: Tensor
    labels: Tensor


class Batches:
    """Serves one dataset's splits. `size` images a batch; shifts up to an eighth of the side, mirrors where allowed."""

    def __init__(self, data: Dataset, size: int = 64):
        self.data, self.size = data, size
        self._mean, self._std = (torch.from_numpy(values).view(3, 1, 1) for values in data.mean_std)

    def steps_per_epoch(self) -> int:
        """Full batches of the training split; at least one."""
        return max(1, len(self.data.train) // self.size)

    def training(self, seed: int, epoch: int) -> Iterator[Batch]:
        """One shuffled, augmented epoch; the same seed and epoch give the same batches."""
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(self.data.train))
        for step in range(self.steps_per_epoch()):
            index = order[step * self.size : (step + 1) * self.size]
            images = _augment(self.data.train.images[index], rng, self.data.mirror)
            yield self._batch(images, self.data.train.labels[index])

    def plain(self, split: Split, size: int = 64, limit: int | None = None) -> Iterator[Batch]:
        """A split in order, unaugmented; more images a batch are slower on a CPU, whose caches they outgrow."""
        count = len(split) if limit is None else min(limit, len(split))
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            yield self._batch(split.images[part], split.labels[part])

    def _batch(self, images: np.ndarray, labels: np.ndarray) -> Batch:
        x = torch.from_numpy(np.ascontiguousarray(images)).float().div_(255)
        x = x.sub_(self._mean).div_(self._std).contiguous(memory_format=torch.channels_last)
        return Batch(x, torch.from_numpy(labels))


def _augment(images: np.ndarray, rng: np.random.Generator, mirror: bool) -> np.ndarray:
    """Random shifts with edge pixels repeated, random mirroring; [n, 3, h, w] uint8 to the same."""
    n, _, height, width = images.shape
    reach = max(1, height // 8)
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    rows = rng.integers(0, 2 * reach + 1, (n, 1)) + np.arange(height)
    columns = rng.integers(0, 2 * reach + 1, (n, 1)) + np.arange(width)
    if mirror:
        columns = np.where(rng.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    shifted = padded[np.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return np.ascontiguousarray(shifted.transpose(0, 3, 1, 2))
