"""The views of a space's networks on one scale: distances between random networks are about 1 in each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from hwnas.spaces import Population, SearchSpace, View
from latency_tables.arrays import Floats

_SAMPLE = 400


class ScaledViews:
    """Features of `views`, by default the space's own, each divided by its median distance between random networks."""

    def __init__(self, space: SearchSpace, views: Sequence[View] | None = None):
        self.space = space
        self.views = tuple(space.views if views is None else views)

    @cached_property
    def _scales(self) -> tuple[float, ...]:
        sample = self.space.sample(np.random.default_rng(0), _SAMPLE)
        upper = np.triu_indices(_SAMPLE, 1)
        return tuple(float(np.median(distances(view.encode(sample))[upper])) or 1.0 for view in self.views)

    @cached_property
    def widths(self) -> list[int]:
        """How many features each view has."""
        one = self.space.sample(np.random.default_rng(0), 1)
        return [view.encode(one).shape[1] for view in self.views]

    def __call__(self, population: Population) -> list[Floats]:
        """Every view of genotypes [n, genes], [n, features] each."""
        return [view.encode(population) / scale for view, scale in zip(self.views, self._scales, strict=True)]

    def joined(self, population: Population) -> Floats:
        """All views side by side, [n, f]."""
        return np.concatenate(self(population), axis=1)


def distances(view: Floats) -> Floats:
    """Euclidean distances between the rows of [n, f], [n, n]."""
    squares = (view * view).sum(axis=1)
    between: Floats = np.sqrt(np.maximum(squares[:, None] + squares - 2 * view @ view.T, 0))
    return between
