"""Images decoded and augmented ahead of the training loop, by worker processes where they are streamed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hwnas.data import DataError, Fetched
from hwnas.training.augmentation import Augmentation, Uniforms

_MOST_WORKERS = 8


@dataclass(frozen=True)
class Portion:
    """Images that were read, with their labels [n]; `uniforms` decide how they are augmented, None: not at all."""

    fetched: Fetched
    labels: np.ndarray
    uniforms: Uniforms | None = None


@dataclass(frozen=True)
class Loader(Dataset[tuple[Tensor, Tensor, tuple[str, ...]]]):
    """Turns portions into images uint8 [n, 3, h, w], labels int64 [n], and messages about broken images.

    Broken ones are replaced by the next good one of the same portion when training, left out else.
    """

    augmentation: Augmentation
    mirror: bool

    def __getitem__(self, portion: Portion) -> tuple[Tensor, Tensor, tuple[str, ...]] | DataError:  # type: ignore[override]
        """A `DataError` is returned: one raised in a worker would arrive as a page of text."""
        uniforms = portion.uniforms
        try:
            decoded = portion.fetched.decode(None if uniforms is None else self.augmentation.boxes(uniforms))
        except DataError as error:
            return error
        images, labels = decoded.images, portion.labels[decoded.positions]
        if not len(images):
            return DataError(f"every image of a batch is broken, the first: {decoded.broken[0]}")
        if uniforms is not None:
            if decoded.broken:
                next_good = np.searchsorted(decoded.positions, np.arange(len(portion.labels))) % len(images)
                images, labels = images[next_good], labels[next_good]
            images = self.augmentation.apply(images, uniforms, self.mirror)
        return torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels), decoded.broken

    def load(
        self, portions: Iterable[Portion], workers: int, pinned: bool
    ) -> Iterator[tuple[Tensor, Tensor, tuple[str, ...]]]:
        """All portions in their order; raises `DataError` for broken images and when a worker dies.

        This process reads the files, once and in order; `workers` others decode, and end with the iterator.
        """
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=portions,
            num_workers=workers,
            pin_memory=pinned,
            generator=torch.Generator(),  # else torch's own, which decides dropout, would be drawn from
        )
        try:
            for loaded in loader:
                if isinstance(loaded, DataError):
                    raise loaded
                yield loaded
        except (RuntimeError, ConnectionError, EOFError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise DataError(
                "a process that decodes images died, perhaps for want of memory or of room in /dev/shm; "
                f"{workers} of them worked: use fewer, or smaller batches"
            ) from error


def decoding_processes() -> int:
    """One per core of this process's share of the machine, less the one that trains; 1 to 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_WORKERS, max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1))
