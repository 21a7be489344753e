"""What every path sampler is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from hwnas.spaces import Population
from latency_tables.arrays import Floats


class PathSampler(ABC):
    """Chooses the networks (paths) of a supernet whose gradients are added up in a training step.

    `name` says all that decides what is drawn: it is part of what a checkpoint belongs to. A sampler that `learns`
    draws one path per step and is told the norm of its gradient; what it knows is in `state`, for an exact resume.
    """

    name: str
    learns: bool = False

    @abstractmethod
    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """The genotypes of one step, [k, genes], canonical; `progress` through the training is in 0..1."""

    def observe(self, paths: Population, gradient_norms: Floats) -> None:
        """Learn from the gradient norms [k] of the paths [k, genes] of a step."""
        return

    def state(self) -> Mapping[str, Floats]:
        """What was learned, as named arrays."""
        return {}

    def restore(self, state: Mapping[str, Floats]) -> None:
        """Go on from what `state` gave."""
        return
