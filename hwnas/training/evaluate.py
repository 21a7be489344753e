"""What a trained network is worth on some images: accuracy, mean probability of the true class; batch norm first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hwnas.training.batches import Batch


@contextmanager
def recalibrating(network: nn.Module) -> Iterator[None]:
    """Batches that go through the network inside set its batch norms: their mean statistics, those of nothing else.

    Afterwards the network is in eval mode.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
    network.train()
    dropout = [m for m in network.modules() if isinstance(m, nn.Dropout)]
    for layer in dropout:
        layer.eval()
    with torch.no_grad():
        yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()


def recalibrate(network: nn.Module, batches: Iterable[Batch]) -> None:
    """Set every batch norm's running statistics to their mean over `batches` (plain training images).

    Shared weights mean shared statistics would be wrong for every sub-network (Yu & Huang 2019).
    """
    with recalibrating(network):
        for batch in batches:
            network(batch.images)


def accuracy(network: nn.Module, batches: Iterable[Batch]) -> float:
    """Fraction of images classified correctly in eval mode."""
    right, seen = right_answers(network, batches)
    return right / seen


def right_answers(network: nn.Module, batches: Iterable[Batch]) -> tuple[float, int]:
    """How many images a network in eval mode classifies correctly, and how many there are."""
    return _sum(network, batches, lambda logits, labels: logits.argmax(1) == labels)


def true_class_probability(network: nn.Module, batches: Iterable[Batch]) -> float:
    """Mean probability, in 0..1, that a network in eval mode gives the right class.

    Accuracy as expected if the answer were drawn from the softmax; on a few hundred images it ranks networks far
    more reliably than counting right answers does.
    """
    total, seen = _sum(network, batches, lambda logits, labels: logits.softmax(1).gather(1, labels[:, None]))
    return total / seen


def _sum(network: nn.Module, batches: Iterable[Batch], score: Callable[[Tensor, Tensor], Tensor]) -> tuple[float, int]:
    """Of the scores of logits [n, classes] with labels [n] over all images, and how many images there are."""
    total, seen = 0.0, 0
    network.eval()
    with torch.no_grad():
        for batch in batches:
            total += float(score(network(batch.images), batch.labels).sum())
            seen += len(batch.labels)
    return total, seen
