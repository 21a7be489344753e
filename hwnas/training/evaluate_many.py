"""Scores of many sub-networks: what the first ops of several compute is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import prod

import torch
from torch import Tensor, nn

from hwnas.spaces import Population
from hwnas.training.batches import Batch
from hwnas.training.evaluate import accuracy, recalibrate, recalibrating, true_class_probability
from hwnas.training.supernet import Step, Supernet


@dataclass(frozen=True)
class NetworkScore:
    """Fraction of images classified correctly, and mean probability of the true class."""

    accuracy: float
    true_class_probability: float


@dataclass(frozen=True)
class _Activations:
    """What the ops so far make of each batch: with statistics of that batch, and with recalibrated ones."""

    calibration: list[Tensor]
    validation: list[Tensor]

    def through(self, block: nn.Module) -> _Activations:
        with recalibrating(block):
            calibration = [block(x) for x in self.calibration]
        with torch.no_grad():
            return _Activations(calibration, [block(x) for x in self.validation])


def score_each(
    supernet: Supernet,
    population: Population,
    calibration: Sequence[Batch],
    validation: Sequence[Batch],
    memory_mb: float = 1024,
) -> Iterator[tuple[int, NetworkScore]]:
    """The index and the score of each genotype [n, genes], in the order of a walk through their prefix tree.

    The same as `extract`, `recalibrate` with `calibration`, and scoring on `validation`, one network after the other:
    the statistics of a batch norm depend on the ops before it alone. The walk holds the activations of all these images
    behind every op of one network; where that is more than `memory_mb`, networks share nothing.
    """
    images = sum(len(batch.labels) for batch in (*calibration, *validation))
    if _activation_mb(supernet, population, images) > memory_mb:
        return _alone(supernet, population, calibration, validation)
    return _walk(supernet, population, calibration, validation)


def _walk(
    supernet: Supernet, population: Population, calibration: Sequence[Batch], validation: Sequence[Batch]
) -> Iterator[tuple[int, NetworkScore]]:
    device = calibration[0].images.device
    numbers, blocks, paths = dict[Step, int](), list[nn.Module](), list[list[int]]()
    for arch in population:
        steps = list(supernet.steps(arch))
        for step in steps:
            if step not in numbers:
                numbers[step] = len(blocks)
                blocks.append(supernet.block(step).to(device))
        paths.append([numbers[step] for step in steps])
    stack, before = [_Activations([b.images for b in calibration], [b.images for b in validation])], list[int]()
    for index in sorted(range(len(paths)), key=paths.__getitem__):
        pairs = zip(before, paths[index], strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        del stack[1 + shared :]
        for number in paths[index][shared:]:
            stack.append(stack[-1].through(blocks[number]))
        before = paths[index]
        yield index, _score(stack[-1].validation, validation)


def _alone(
    supernet: Supernet, population: Population, calibration: Sequence[Batch], validation: Sequence[Batch]
) -> Iterator[tuple[int, NetworkScore]]:
    for index, arch in enumerate(population):
        network = supernet.extract(arch).to(calibration[0].images.device)
        recalibrate(network, calibration)
        with torch.no_grad():
            logits = [network(batch.images) for batch in validation]
        yield index, _score(logits, validation)


def _score(logits: Sequence[Tensor], batches: Sequence[Batch]) -> NetworkScore:
    said = [Batch(answer, batch.labels) for answer, batch in zip(logits, batches, strict=True)]
    return NetworkScore(accuracy(nn.Identity(), said), true_class_probability(nn.Identity(), said))


def _activation_mb(supernet: Supernet, population: Population, images: int) -> float:
    """The most that a walk holds, in megabytes of float32."""
    numbers = {op: prod(op.in_shape) for op in supernet.space.all_ops}
    firsts = ([(*step.chain, *step.branches)[0] for step in supernet.steps(arch)] for arch in population)
    per_image = max((sum(numbers[op] for op, _ in parts) for parts in firsts), default=0)
    return 4e-6 * images * per_image
