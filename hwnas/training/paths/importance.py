"""Choices with large gradients more often, as training goes on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hwnas.spaces import Population, SearchSpace
from hwnas.training.paths._base import PathSampler
from latency_tables.arrays import Floats

_MEMORY = 0.99  # of the running mean of gradient norms, one update per occurrence


class ImportancePaths(PathSampler):
    """Path importance sampling (PA&DA: Lu et al. 2023): sampling by gradient norm lowers the variance of gradients.

    The probability of a choice is `t * norm / sum of norms + (1 - t) * uniform`, where t is the progress, and the norm
    of a choice is a running mean over the paths that had it. Only paths are sampled so, not images.
    """

    name, learns = "importance", True

    def __init__(self, space: SearchSpace):
        self.space = space
        self._norms = [np.ones(values) for values in space.cardinalities]

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """One network, [1, genes]."""
        genes = [rng.choice(len(p), p=p) for p in self.probabilities(progress)]
        return self.space.canonical(np.array([genes]))

    def probabilities(self, progress: float) -> list[Floats]:
        """Of the values of each gene."""
        return [progress * norms / norms.sum() + (1 - progress) / len(norms) for norms in self._norms]

    def observe(self, paths: Population, gradient_norms: Floats) -> None:
        """Remember the norms of the choices that were drawn."""
        for path, norm in zip(paths, gradient_norms, strict=True):
            for norms, value in zip(self._norms, path, strict=True):
                norms[value] = _MEMORY * norms[value] + (1 - _MEMORY) * norm

    def state(self) -> Mapping[str, Floats]:
        """Norms by gene."""
        return {f"norms{gene}": norms.copy() for gene, norms in enumerate(self._norms)}

    def restore(self, state: Mapping[str, Floats]) -> None:
        """Go on with these norms."""
        self._norms = [np.array(state[f"norms{gene}"]) for gene in range(len(self._norms))]
