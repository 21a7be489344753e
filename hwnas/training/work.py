"""What the training loop is given: what to train and on what, and where to run it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.training.batches import Batch, Batches
from hwnas.training.processes import Processes
from hwnas.training.recipe import Recipe


@dataclass(frozen=True)
class Where:
    """Where and how a training is run, which does not decide its result: device, logs, seconds between checkpoints."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    tensorboard: bool = False
    checkpoint_s: float = 300.0


class Work(ABC):
    """What is trained and on what. It pickles: every process of a training gets it."""

    module: nn.Module
    batches: Batches
    recipe: Recipe
    seed: int

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What tells this work from others, besides recipe, seed and data; JSON values."""

    @abstractmethod
    def losses(self, module: nn.Module, batch: Batch, rng: np.random.Generator, progress: float) -> Iterator[Tensor]:
        """The losses of one step, whose gradients add up; each may be the mean over the batch [n]."""

    @abstractmethod
    def right_answers(self, module: nn.Module, processes: Processes) -> tuple[float, int]:
        """How many validation images this process saw classified correctly, and how many it saw."""

    def stepped(self, module: nn.Module) -> None:  # noqa: B027
        """Look at the module's gradients before they are applied."""

    def state(self) -> Mapping[str, Tensor]:
        """What the work has learned on its way besides weights."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027
        """The inverse of `state`."""
