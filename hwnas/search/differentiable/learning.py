"""A distribution and the shared weights of a supernet learned together, a budget kept at every step.

Weights learn from networks that the distribution tries. In the last part of the training the distribution learns too,
from the losses of other such networks on images held out: by what each choice adds to them, in a sum over all choices
that is fitted to the losses. Shared weights that have learned little prefer networks without ops. So does, for longer,
the gradient of a mixture of all choices, which DrNAS, BaLeNAS and NSE take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.search.differentiable._base import Distribution
from hwnas.search.differentiable.gains import Gains
from hwnas.spaces import Population
from hwnas.training import Batches, Recipe, Supernet, Where
from hwnas.training.batches import Batch
from hwnas.training.curve import Curve
from hwnas.training.distillation import Teacher
from hwnas.training.learning import SupernetLearning
from hwnas.training.paths import PathSampler
from hwnas.training.processes import Processes
from hwnas.training.trainer import train
from latency_tables.progress import Progress, silent

_PER_VALUE = 2  # networks with each value of a gene, in one step of the distribution


@dataclass(frozen=True)
class DrawnPaths(PathSampler):
    """Networks that a distribution tries; `count` in a step."""

    distribution: Distribution
    count: int

    @property
    def name(self) -> str:  # type: ignore[override]
        """The kind, its budgets and how many."""
        limits = ", ".join(f"{budget.limit:g} {budget.name}" for budget in self.distribution.budgets)
        kind = f"{type(self.distribution).__name__} {self.distribution.learning_rate:g}"
        return f"{self.count} tried by {kind} within {limits}"

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """As the distribution learns from."""
        return self.distribution.space.canonical(self.distribution.trials(rng, self.count))


@dataclass(frozen=True)
class DistributionLearning(SupernetLearning):
    """The weights of a supernet by paths that `distribution` tries, and the distribution by images held out."""

    distribution: Distribution = None  # type: ignore[assignment]
    gains: Gains = None  # type: ignore[assignment]

    def losses(self, module: nn.Module, batch: Batch, rng: np.random.Generator, progress: float) -> Iterator[Tensor]:
        """One per network drawn, after a step of the distribution where it is its turn."""
        begins = self.distribution.learning_begins
        self.distribution.anneal(max(0.0, (progress - begins) / (1 - begins)))
        if progress >= begins and rng.integers(self.distribution.learns_every) == 0:
            self._learn(module, batch.images.device, rng)
        yield from super().losses(module, batch, rng, progress)

    def _learn(self, module: nn.Module, device: torch.device, rng: np.random.Generator) -> None:
        """By what each value gains on the others of its gene, the same in every process."""
        distribution, processes = self.distribution, Processes.current()
        held_out = self.batches.data.validation
        batch = self.batches.drawn(held_out, rng, (processes.rank, processes.count), device)
        tried = distribution.trials(rng, _PER_VALUE * int(distribution.allowed.sum(dim=1).max()))
        archs = distribution.space.canonical(tried)  # `tried` has idle genes of any value, so that none gains by it
        with torch.no_grad():
            losses = [float(self._loss(module(batch.images, arch), batch, None)) for arch in archs]
        self.gains.observe(tried, -np.array(processes.sums(losses)))
        distribution.follow(self.gains.values(), torch.Generator().manual_seed(int(rng.integers(2**62))))

    def state(self) -> Mapping[str, Tensor]:
        """What the distribution has learned, and from what."""
        return {**super().state(), **self.distribution.tensors(), **self.gains.tensors()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Give it back."""
        self.distribution.restore(state)
        self.gains.restore(state)


def train_distribution(
    distribution: Distribution,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    path: Path,
    progress: Progress = silent,
    where: Where | None = None,
    paths: int = 2,
    start: Supernet | None = None,
    teacher: Teacher | None = None,
) -> tuple[Supernet, Curve]:
    """Train a supernet of the distribution's space, and the distribution in place, together; resumes from `path`.

    The weights begin as drawn by `seed`, but for what `start` knows; in every step they learn from `paths` networks.
    """
    supernet = Supernet(distribution.space, seed)
    if start is not None:
        supernet.inherit(start, known_only=True)
    drawn, gains = DrawnPaths(distribution, paths), Gains(*distribution.allowed.shape)
    work = DistributionLearning(supernet, batches, recipe, seed, teacher, drawn, distribution=distribution, gains=gains)
    return supernet, train(work, path, progress, where)
