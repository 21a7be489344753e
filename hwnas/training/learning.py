"""The two things that are trained: the shared weights of a supernet, and one network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwnas.spaces import Genotype, SearchSpace
from hwnas.training.batches import Batch, Batches
from hwnas.training.curve import Curve
from hwnas.training.distillation import Teacher, agreement_loss
from hwnas.training.evaluate import recalibrate, right_answers
from hwnas.training.paths import PathSampler, SandwichPaths, path_sampler
from hwnas.training.processes import Processes
from hwnas.training.recipe import Recipe
from hwnas.training.supernet import Supernet
from hwnas.training.trainer import train
from hwnas.training.work import Where, Work
from latency_tables import HwnasError
from latency_tables.progress import Progress, silent


@dataclass(frozen=True)
class _Learning(Work):
    module: nn.Module
    batches: Batches
    recipe: Recipe
    seed: int
    teacher: Teacher | None = None

    @property
    def _taught(self) -> dict[str, Any]:
        return {} if self.teacher is None else {"teacher": self.teacher.identity}

    def _loss(self, logits: Tensor, batch: Batch, answers: Tensor | None) -> Tensor:
        """Against the labels, and against a teacher's answers where there are any."""
        loss = functional.cross_entropy(logits, batch.targets, label_smoothing=self.recipe.label_smoothing)
        if answers is None:
            return loss
        share = self.recipe.distillation
        return (1 - share) * loss + share * agreement_loss(logits, answers)

    def _answers(self, batch: Batch) -> Tensor | None:
        return None if self.teacher is None else self.teacher.answers(batch.images)

    def _right(self, network: nn.Module, processes: Processes) -> tuple[float, int]:
        part, device = (processes.rank, processes.count), next(network.parameters()).device
        split = self.batches.data.validation
        return right_answers(network, self.batches.plain(split, part=part, device=device))


@dataclass(frozen=True)
class NetworkLearning(_Learning):
    """One network; `name` (its architecture text) guards the checkpoint."""

    name: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """Which network."""
        return {"network": self.name, **self._taught}

    def losses(self, module: nn.Module, batch: Batch, rng: np.random.Generator, progress: float) -> Iterator[Tensor]:
        """One: of the network."""
        yield self._loss(module(batch.images), batch, self._answers(batch))

    def right_answers(self, module: nn.Module, processes: Processes) -> tuple[float, int]:
        """Of the network as it is."""
        return self._right(module, processes)


@dataclass(frozen=True)
class SupernetLearning(_Learning):
    """The shared weights of a space, by the networks that `sampler` draws for each step."""

    module: Supernet
    sampler: PathSampler | None = None
    _drawn: list[Genotype] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.sampler is None:
            object.__setattr__(self, "sampler", path_sampler(self.recipe.paths, self.module.space))
        if self.recipe.own_teacher and not isinstance(self.sampler, SandwichPaths):
            raise HwnasError("own_teacher in a recipe needs paths = 'sandwich', whose first network is the largest")

    @property
    def _paths(self) -> PathSampler:
        assert self.sampler is not None
        return self.sampler

    @property
    def identity(self) -> dict[str, Any]:
        """Which space, and how its networks are drawn."""
        space = self.module.space
        ops = [op.key for op in space.all_ops]
        return {"supernet": space.name, "ops": ops, "sampler": self._paths.name, **self._taught}

    def losses(self, module: nn.Module, batch: Batch, rng: np.random.Generator, progress: float) -> Iterator[Tensor]:
        """One per network of the step; the first, the largest, may teach the others."""
        answers = self._answers(batch)
        self._drawn[:] = self._paths.paths(rng, progress)
        for arch in self._drawn:
            logits = module(batch.images, arch)
            yield self._loss(logits, batch, answers)
            if self.recipe.own_teacher and answers is None:
                answers = logits.detach()

    def stepped(self, module: nn.Module) -> None:
        """Tell a sampler that learns."""
        if self._paths.learns:
            norm = float(nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None]))
            if math.isfinite(norm):  # in fp16 a scaled gradient may overflow
                self._paths.observe(np.array(self._drawn), np.full(len(self._drawn), norm))

    def state(self) -> Mapping[str, Tensor]:
        """What the sampler has learned."""
        return {name: torch.from_numpy(values) for name, values in self._paths.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Give it back."""
        self._paths.restore({name: values.numpy() for name, values in state.items()})

    def right_answers(self, module: nn.Module, processes: Processes) -> tuple[float, int]:
        """Of the largest network."""
        assert isinstance(module, Supernet)
        largest = module.space.sandwich(np.random.default_rng(0))[0]
        device = next(module.parameters()).device
        network = module.extract(largest).to(device)
        recalibrate(network, self.batches.plain(self.batches.data.train, limit=512, device=device))
        return self._right(network, processes)


def train_supernet(
    space: SearchSpace,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    path: Path,
    progress: Progress = silent,
    where: Where | None = None,
    teacher: Teacher | None = None,
    sampler: PathSampler | None = None,
    start: Supernet | None = None,
) -> tuple[Supernet, Curve]:
    """Train shared weights; the networks of each step come from `sampler`, the recipe's `paths` by default.

    They begin as drawn by `seed`, or as those of `start`, a supernet of a space that holds this one. The curve's
    accuracy is the largest network's. Resumes from `path`; see `train`.
    """
    supernet = Supernet(space, seed)
    if start is not None:
        supernet.inherit(start)
    work = SupernetLearning(supernet, batches, recipe, seed, teacher, sampler)
    return supernet, train(work, path, progress, where)


def train_network(
    network: nn.Module,
    name: str,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    path: Path,
    progress: Progress = silent,
    where: Where | None = None,
    teacher: Teacher | None = None,
) -> Curve:
    """Train one network in place; `name` (its architecture text) guards the checkpoint at `path`; see `train`."""
    return train(NetworkLearning(network, batches, recipe, seed, teacher, name), path, progress, where)
