"""Every choice of every gene once per step."""

from __future__ import annotations

import numpy as np

from hwnas.spaces import Population, SearchSpace
from hwnas.training.paths._base import PathSampler


class FairPaths(PathSampler):
    """Strict fairness (FairNAS: Chu et al. 2021, section 3): all choices of a gene are trained equally often.

    A step has as many paths as the gene with most choices; a gene with fewer repeats some of its own at random.
    """

    name = "fair"

    def __init__(self, space: SearchSpace):
        self.space = space

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """A random permutation of its values down the column of each gene, [most choices, genes]."""
        count = max(self.space.cardinalities)
        columns = []
        for values in self.space.cardinalities:
            rounds = [rng.permutation(values) for _ in range(-(-count // values))]
            columns.append(rng.permutation(np.concatenate(rounds)[:count]))
        return self.space.canonical(np.stack(columns, axis=1))
