"""A distribution and the shared weights of a supernet learned together, a budget kept at every step.

Weights learn from networks that the distribution draws. In the last part of the training the distribution learns too,
in every step, from the losses of networks on images held out: by what each choice adds to them on average. Shared
weights that have learned little prefer networks without ops. So does, for longer, the gradient of a mixture of all
choices, which DrNAS and BaLeNAS take. NSE's branches, of which any number may be there, do learn from their mixture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.search.differentiable._base import Distribution, draw_evenly
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

_WARMUP = 0.6  # the share of a training in which weights alone learn
_MIXTURE_EVERY, _MIXTURE_WARMUP = 2, 0.2  # steps, and the same, for what learns from a mixture
_PER_VALUE = 2  # networks with each value of a gene, in one step of the distribution


@dataclass(frozen=True)
class DrawnPaths(PathSampler):
    """Networks that a distribution draws; `count` in a step."""

    distribution: Distribution
    count: int = 2

    @property
    def name(self) -> str:  # type: ignore[override]
        """The kind, its budgets and how many."""
        limits = ", ".join(f"{budget.limit:g} {budget.name}" for budget in self.distribution.budgets)
        return f"{self.count} of {type(self.distribution).__name__} {self.distribution.learning_rate:g} within {limits}"

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """Drawn by the mean."""
        return self.distribution.sample(rng, self.count)


@dataclass(frozen=True)
class DistributionLearning(SupernetLearning):
    """The weights of a supernet by paths that `distribution` draws, and the distribution by images held out."""

    distribution: Distribution = None  # type: ignore[assignment]
    gains: Gains | None = None  # of what learns from single networks

    def losses(self, module: nn.Module, batch: Batch, rng: np.random.Generator, progress: float) -> Iterator[Tensor]:
        """One per network drawn, after a step of the distribution where it is its turn."""
        warmup, every = (_MIXTURE_WARMUP, _MIXTURE_EVERY) if self.gains is None else (_WARMUP, 1)
        self.distribution.anneal(max(0.0, (progress - warmup) / (1 - warmup)))
        if progress >= warmup and rng.integers(every) == 0:
            assert isinstance(module, Supernet)
            device, processes = batch.images.device, Processes.current()
            part = (processes.rank, processes.count)
            held_out = self.batches.drawn(self.batches.data.validation, rng, part, device)
            if self.gains is None:
                self._learn_by_mixture(module, held_out, rng, processes)
            else:
                self._learn_by_trials(self.gains, module, held_out, rng, processes)
        yield from super().losses(module, batch, rng, progress)

    def _learn_by_mixture(self, module: Supernet, batch: Batch, rng: np.random.Generator, processes: Processes) -> None:
        """Along the gradient of the loss in the mixture's weights, the same in every process."""
        weights = self.distribution.relaxed(torch.Generator().manual_seed(int(rng.integers(2**62))))
        mixture = weights.detach().to(batch.images.device, torch.get_default_dtype()).requires_grad_()
        (slope,) = torch.autograd.grad(self._loss(module.mixed(batch.images, mixture), batch, None), mixture)
        mean = torch.tensor(processes.sums(slope.double().flatten().tolist())).view_as(weights) / processes.count
        self.distribution.step((weights * mean).sum())

    def _learn_by_trials(
        self, gains: Gains, module: Supernet, batch: Batch, rng: np.random.Generator, processes: Processes
    ) -> None:
        """By what each value gains on the others of its gene, in networks of all values alike."""
        distribution = self.distribution
        networks = _PER_VALUE * int(distribution.allowed.sum(dim=1).max())
        drawn = draw_evenly(distribution.allowed.numpy(), rng, networks)
        archs = distribution.space.canonical(drawn)  # `drawn` has idle genes of any value, so that none gains by it
        with torch.no_grad():
            losses = [float(self._loss(module(batch.images, arch), batch, None)) for arch in archs]
        gains.observe(drawn, -np.array(processes.sums(losses)))
        distribution.follow(gains.values(), torch.Generator().manual_seed(int(rng.integers(2**62))))

    def state(self) -> Mapping[str, Tensor]:
        """What the distribution has learned, and from what."""
        seen = {} if self.gains is None else self.gains.tensors()
        return {**super().state(), **self.distribution.tensors(), **seen}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Give it back."""
        self.distribution.restore(state)
        if self.gains is not None:
            self.gains.restore(state)


def train_distribution(
    distribution: Distribution,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    path: Path,
    progress: Progress = silent,
    where: Where | None = None,
    sampler: PathSampler | None = None,
    start: Supernet | None = None,
    teacher: Teacher | None = None,
) -> tuple[Supernet, Curve]:
    """Train a supernet of the distribution's space, and the distribution in place, together; resumes from `path`.

    The weights learn from networks of `sampler`, those that the distribution draws by default; they begin as drawn by
    `seed`, but for what `start` knows.
    """
    supernet = Supernet(distribution.space, seed)
    if start is not None:
        supernet.inherit(start, known_only=True)
    paths = DrawnPaths(distribution) if sampler is None else sampler
    gains = None if distribution.by_mixture else Gains(*distribution.allowed.shape)
    work = DistributionLearning(supernet, batches, recipe, seed, teacher, paths, distribution=distribution, gains=gains)
    return supernet, train(work, path, progress, where)
