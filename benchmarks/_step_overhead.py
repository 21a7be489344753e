"""A training step of a network inside a supernet, against the same network with weights of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwnas.data import load_dataset
from hwnas.spaces import load_space
from hwnas.training import Batches, Recipe, Supernet
from hwnas.training.trainer import optimizer_of


def step_ratios(space_name: str, networks: int, rounds: int, seed: int) -> list[float]:
    """For each of some random networks: the median ratio of neighbouring steps, batch 32, one thread.

    A step is forward, backward and AdamW. Both sorts take turns, so that a busy machine slows both.
    """
    torch.set_num_threads(1)
    data = load_dataset("digits")
    space, batches = load_space(space_name, data.num_classes), Batches(data, 32)
    batch, supernet = next(batches.training(seed, 0)), Supernet(space, seed)

    def step(module: nn.Module, answer: Callable[[], Tensor]) -> Callable[[], float]:
        optimizer = optimizer_of(module.train(), Recipe(1))

        def seconds() -> float:
            start = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(answer(), batch.targets).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            return time.perf_counter() - start

        return seconds

    ratios = []
    for arch in space.sample(np.random.default_rng(seed), networks):
        network = supernet.extract(arch)
        inside = step(supernet, lambda arch=arch: supernet(batch.images, arch))  # type: ignore[misc]
        outside = step(network, lambda network=network: network(batch.images))  # type: ignore[misc]
        inside(), outside()
        ratios.append(float(np.median([inside() / outside() for _ in range(rounds)])))
    return ratios
