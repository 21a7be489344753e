"""How little the loss of a network rises when its weights are disturbed: a signal of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from hwnas.training.batches import Batch

SIGMAS = (0.001, 0.003, 0.006)


@torch.no_grad()
def flatness(network: nn.Module, validation: Sequence[Batch], seed: int = 0, sigmas: Sequence[float] = SIGMAS) -> float:
    """One over the mean slope of the loss, in steps from the weights to weights with noise of deviations `sigmas` [k].

    After GeNAS (Jeong et al. 2023, "GeNAS: Neural Architecture Search with Better Generalization"): the noise of each
    step is added to that of the last. Larger is flatter. The network comes back as it was, and is in evaluation mode.
    """
    network.eval()
    weights = [p for p in network.parameters() if p.dim() > 1]
    kept = [p.clone() for p in weights]
    generator = torch.Generator().manual_seed(seed)
    losses = [_loss(network, validation)]
    for sigma in sigmas:
        for weight in weights:
            noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight.add_(noise.to(weight.device), alpha=sigma)
        losses.append(_loss(network, validation))
    for weight, before in zip(weights, kept, strict=True):
        weight.copy_(before)
    steps = [b - a for a, b in pairwise((0.0, *sigmas))]
    slopes = [abs(b - a) / step for (a, b), step in zip(pairwise(losses), steps, strict=True)]
    return len(slopes) / (sum(slopes) or 1e-12)


def _loss(network: nn.Module, validation: Sequence[Batch]) -> float:
    total = sum(
        float(functional.cross_entropy(network(batch.images), batch.labels, reduction="sum")) for batch in validation
    )
    return total / sum(len(batch.labels) for batch in validation)
