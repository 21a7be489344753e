"""The largest, the smallest and a random path."""

from __future__ import annotations

import numpy as np

from hwnas.spaces import Population, SearchSpace
from hwnas.training.paths._base import PathSampler


class SandwichPaths(PathSampler):
    """The extremes bound what lies between them (Yu & Huang 2019, "Universally Slimmable Networks").

    What is large and small is the space's business: `SearchSpace.sandwich`.
    """

    name = "sandwich"

    def __init__(self, space: SearchSpace):
        self.space = space

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """Largest first, smallest, random, [3, genes]."""
        return self.space.sandwich(rng)
