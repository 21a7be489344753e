"""From a data split to normalised, augmented torch batches, reproducible step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwnas.data import Dataset, LabelledImages
from hwnas.training.augmentation import SHIFTED_AND_MIRRORED, UNIFORMS, Augmentation
from hwnas.training.loading import Loader, Portion, decoding_processes
from hwnas.training.mixing import mixed
from hwnas.training.recipe import Recipe

_AUGMENTING, _MIXING = 2, 3  # which random stream of a step
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Batch:
    """Normalised images [n, 3, h, w] in channels-last memory, labels [n], and soft targets [n, classes] if mixed."""

    images: Tensor
    labels: Tensor
    soft: Tensor | None = None

    @property
    def targets(self) -> Tensor:
        """What `cross_entropy` takes: the labels, or the soft targets of mixed images."""
        return self.labels if self.soft is None else self.soft

    def parts(self, count: int) -> list[Batch]:
        """The batch in so many consecutive parts, as equal as can be; fewer where it has not so many images."""
        soft = [None] * count if self.soft is None else self.soft.chunk(count)
        return [Batch(*part) for part in zip(self.images.chunk(count), self.labels.chunk(count), soft, strict=False)]


class Batches:
    """Serves one dataset's splits. `size` images a batch, over all processes that train together.

    Streamed splits are decoded by `workers` processes (None: one per core but one, at most 8). `skipped` are messages
    about broken images so far, each once, where the dataset skips them; else the first one raises `DataError`.
    """

    def __init__(
        self,
        data: Dataset,
        size: int = 64,
        augmentation: Augmentation = SHIFTED_AND_MIRRORED,
        workers: int | None = None,
    ):
        self.data, self.size, self.augmentation = data, size, augmentation
        self.workers = decoding_processes() if workers is None else workers
        self.skipped: list[str] = []
        self._loader = Loader(augmentation, data.mirror)
        self._mean, self._std = (torch.from_numpy(values).view(3, 1, 1) for values in data.mean_std)

    @classmethod
    def of(cls, data: Dataset, recipe: Recipe) -> Batches:
        """As a recipe has them."""
        return cls(data, recipe.batch, recipe.augmentation)

    def steps_per_epoch(self) -> int:
        """Full batches of the training split; at least one."""
        return max(1, len(self.data.train) // self.size)

    def training(
        self,
        seed: int,
        epoch: int,
        first_step: int = 0,
        part: tuple[int, int] = (0, 1),
        device: torch.device = _CPU,
    ) -> Iterator[Batch]:
        """One shuffled, augmented epoch from `first_step` on; `part` (rank, world): this process's share of each batch.

        A batch depends on seed, epoch and step only; the parts of all ranks, one after the other, are the whole
        batch (but where a broken image was replaced: each process takes one of its own). They differ by one image
        at most, by two where images are mixed. On a CUDA device bytes cross over, and become floats there.
        """
        split, how = self.data.train, self.augmentation
        order = split.order(np.random.default_rng([seed, epoch]))
        steps = range(first_step, self.steps_per_epoch())

        def portions() -> Iterator[Portion]:
            for step in steps:
                rows = order[step * self.size : (step + 1) * self.size]
                uniforms = np.random.default_rng([seed, epoch, step, _AUGMENTING]).random((len(rows), UNIFORMS))
                own = _share(len(rows), part, least=2 if how.mixes else 1)
                yield Portion(split.fetch(rows[own]), split.labels[rows[own]], uniforms[own])

        for step, batch in zip(steps, self._batches(split, portions(), device), strict=True):
            if how.mixes:
                rng = np.random.default_rng([seed, epoch, step, _MIXING])
                yield Batch(*mixed(batch.images, batch.labels, self.data.num_classes, how, rng))
            else:
                yield batch

    def plain(
        self,
        split: LabelledImages,
        size: int = 64,
        limit: int | None = None,
        part: tuple[int, int] = (0, 1),
        device: torch.device = _CPU,
    ) -> Iterator[Batch]:
        """A split in order, unaugmented; more images a batch are slower on a CPU, whose caches they outgrow.

        `limit`: at most so many, spread over the split. `part` (i, k): the i-th
        (from 0) of k consecutive parts.
        """
        rows = np.arange(len(split)) if limit is None else split.some(limit)
        rows = rows[_share(len(rows), part)]
        blocks = (rows[start : start + size] for start in range(0, len(rows), size))
        return self._batches(split, (Portion(split.fetch(block), split.labels[block]) for block in blocks), device)

    def drawn(
        self, split: LabelledImages, rng: np.random.Generator, part: tuple[int, int], device: torch.device
    ) -> Batch:
        """A random batch of a split, unaugmented; `part` (rank, world): this process's share of it."""
        rows = rng.choice(len(split), min(self.size, len(split)), replace=False)
        rows = rows[_share(len(rows), part)]
        (batch,) = self._batches(split, [Portion(split.fetch(rows), split.labels[rows])], device)
        return batch

    def _batches(self, split: LabelledImages, portions: Iterable[Portion], device: torch.device) -> Iterator[Batch]:
        workers, pinned = self.workers if split.streamed else 0, device.type == "cuda"
        mean, std = self._mean.to(device), self._std.to(device)
        for images, labels, broken in self._loader.load(portions, workers, pinned):
            self.skipped += [message for message in broken if message not in self.skipped]
            x = images.to(device, non_blocking=pinned).to(torch.get_default_dtype()).div_(255).sub_(mean).div_(std)
            yield Batch(x.contiguous(memory_format=torch.channels_last), labels.to(device, non_blocking=pinned))


def _share(count: int, part: tuple[int, int], least: int = 1) -> slice:
    """Part i of k of so many images; each begins at a multiple of `least`."""
    i, k = part
    units = count // least
    return slice(units * i // k * least, count if i == k - 1 else units * (i + 1) // k * least)
