"""Scores of untrained networks that go with their accuracy: free labels and features for predictors.

Each is a function of one torch module, of which a copy is scored, and one batch of images. Higher should mean more
accurate. `ZeroCostScores` computes them for genotypes, each network once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.cost import count_macs, count_params, without_norms
from hwnas.spaces.genotypes import keys_of
from hwnas.spaces.modules import initialise
from hwnas.training.batches import Batch
from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent

Score = Callable[[nn.Module, Batch], float]

_ACTIVATIONS = (nn.ReLU, nn.Hardswish)
_TINY = 1e-300
_REPEATS, _MIXUP = 4, 1e-2  # of the Zen-score


def synflow(network: nn.Module, batch: Batch) -> float:
    """Synaptic flow (Tanaka et al. 2020): log of the sum of |weight * gradient|, all weights positive, no data."""
    shadow = without_norms(copy.deepcopy(network)).double().eval()
    with torch.no_grad():
        for parameter in shadow.parameters():
            parameter.abs_()
    shadow(torch.ones(1, *batch.images.shape[1:], dtype=torch.float64)).sum().backward()
    return float(np.log(max(_saliency(shadow), _TINY)))


def grad_norm(network: nn.Module, batch: Batch) -> float:
    """Sum of the norms of the loss's gradients at initialisation (Abdelfattah et al. 2021)."""
    shadow = _after_backward(network, batch)
    return sum(float(p.grad.norm()) for p in _weights(shadow) if p.grad is not None)


def snip(network: nn.Module, batch: Batch) -> float:
    """Sum of |weight * gradient| of the loss (Lee et al. 2019; as a score of networks: Abdelfattah et al. 2021)."""
    return _saliency(_after_backward(network, batch))


def naswot(network: nn.Module, batch: Batch) -> float:
    """How differently activations answer to images: log determinant of their agreement (Mellor et al. 2021)."""
    shadow = copy.deepcopy(network).train()
    n = len(batch.images)
    agreement = torch.zeros(n, n, dtype=torch.float64)

    def look(_module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        code = (inputs[0].flatten(1) > 0).float()
        agreement.add_((code @ code.T + (1 - code) @ (1 - code).T).double())

    for layer in shadow.modules():
        if isinstance(layer, _ACTIVATIONS):
            layer.register_forward_hook(look)
    with torch.no_grad():
        shadow(batch.images)
    sign, log_determinant = np.linalg.slogdet(agreement.numpy())
    return float(log_determinant) if sign > 0 else -1e3


def zen(network: nn.Module, batch: Batch) -> float:
    """Zen-score (Lin et al. 2021): how far features before pooling move when the input does, plus the norms' scales."""
    shadow = copy.deepcopy(network).train()
    generator = torch.Generator().manual_seed(0)
    scales: list[float] = []
    features: list[Tensor] = []

    def look_norm(_layer: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        scales.append(float(torch.sqrt(inputs[0].var(dim=(0, 2, 3)).mean() + 1e-12)))

    def look_pool(_layer: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        features.append(inputs[0])

    for layer in shadow.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(look_norm)
        if isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1)):
            layer.register_forward_hook(look_pool)
    found = []
    with torch.no_grad():
        for _ in range(_REPEATS):
            scales.clear()
            features.clear()
            images = torch.randn(batch.images.shape, generator=generator)
            shadow(images)
            known = float(np.log(np.array(scales)).sum())
            shadow(images + _MIXUP * torch.randn(batch.images.shape, generator=generator))
            distance = float((features[-1] - features[0]).abs().sum(dim=(1, 2, 3)).mean())
            found.append(np.log(max(distance, _TINY)) + known)
    return float(np.mean(found))


def parameters(network: nn.Module, batch: Batch) -> float:
    """Log of the number of parameters: the score that others must beat."""
    return float(np.log(count_params(network)))


def macs(network: nn.Module, batch: Batch) -> float:
    """Log of the multiply-accumulates of one image."""
    return float(np.log(count_macs(network, tuple(batch.images.shape[1:]))))


SCORES: dict[str, Score] = {
    score.__name__: score for score in (synflow, grad_norm, snip, naswot, zen, parameters, macs)
}


class ZeroCostScores:
    """Scores of genotypes, each network built and scored once; callable, so that it can be a predictor's free labels.

    Every network starts from the same seed. Torch runs on one thread meanwhile, and is left as it was.
    """

    def __init__(self, space: SearchSpace, batch: Batch, names: Sequence[str] = tuple(SCORES), seed: int = 0):
        self.space, self.batch, self.names, self.seed = space, batch, tuple(names), seed
        self._known: dict[bytes, tuple[float, ...]] = {}

    def __call__(self, population: Population, progress: Progress = silent) -> Floats:
        """Scores [n, names] of genotypes [n, genes]."""
        clean = self.space.canonical(population)
        keys = keys_of(clean)
        with _one_thread():
            for i, (key, arch) in enumerate(zip(keys, clean, strict=True)):
                progress(i, len(clean), "zero-cost scores")
                if key not in self._known:
                    self._known[key] = self._score(arch)
        progress(len(clean), len(clean), "zero-cost scores")
        return np.array([self._known[key] for key in keys])

    def _score(self, arch: np.ndarray) -> tuple[float, ...]:
        network = self.space.build(arch)
        initialise(network, torch.Generator().manual_seed(self.seed))
        return tuple(SCORES[name](network, self.batch) for name in self.names)


def _weights(network: nn.Module) -> Iterator[Tensor]:
    return (layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear))


def _saliency(network: nn.Module) -> float:
    return sum(float((p.detach() * p.grad).abs().sum()) for p in _weights(network) if p.grad is not None)


def _after_backward(network: nn.Module, batch: Batch) -> nn.Module:
    shadow = copy.deepcopy(network).train()
    functional.cross_entropy(shadow(batch.images), batch.labels).backward()  # type: ignore[no-untyped-call]
    return shadow


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
