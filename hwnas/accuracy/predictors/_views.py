"""The views of a space's networks on one scale: distances between random networks are about 1 in each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from hwnas.accuracy._base import Floats
from hwnas.spaces import Population, SearchSpace

_SAMPLE = 400

Encodings = Callable[[Population], tuple[Floats, ...]]


class ScaledViews:
    """`encodings`, by default the space's own, each divided by its median distance between random networks."""

    def __init__(self, space: SearchSpace, encodings: Encodings | None = None):
        self.space = space
        self.encodings = encodings or space.encodings

    @cached_property
    def _scales(self) -> tuple[float, ...]:
        sample = self.space.sample(np.random.default_rng(0), _SAMPLE)
        upper = np.triu_indices(_SAMPLE, 1)
        return tuple(float(np.median(distances(view)[upper])) or 1.0 for view in self.encodings(sample))

    @cached_property
    def widths(self) -> list[int]:
        """How many features each view has."""
        return [view.shape[1] for view in self.encodings(self.space.sample(np.random.default_rng(0), 1))]

    def __call__(self, population: Population) -> list[Floats]:
        """Every view of genotypes [n, genes], [n, features] each."""
        return [view / scale for view, scale in zip(self.encodings(population), self._scales, strict=True)]

    def joined(self, population: Population) -> Floats:
        """All views side by side, [n, f]."""
        return np.concatenate(self(population), axis=1)


def distances(view: Floats) -> Floats:
    """Euclidean distances between the rows of [n, f], [n, n]."""
    squares = (view * view).sum(axis=1)
    between: Floats = np.sqrt(np.maximum(squares[:, None] + squares - 2 * view @ view.T, 0))
    return between
