"""One random path per step."""

from __future__ import annotations

import numpy as np

from hwnas.spaces import Population, SearchSpace
from hwnas.training.paths._base import PathSampler


class UniformPaths(PathSampler):
    """Every gene uniform (SPOS: Guo et al. 2020, "Single Path One-Shot Neural Architecture Search")."""

    name = "uniform"

    def __init__(self, space: SearchSpace):
        self.space = space

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """One random network, [1, genes]."""
        return self.space.sample(rng, 1)
