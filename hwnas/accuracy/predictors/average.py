"""Several predictors that answer together: their mistakes differ, and partly cancel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.accuracy._base import Predictor
from hwnas.accuracy.predictors._ranks import RankPredictor
from hwnas.spaces import Population
from latency_tables.arrays import Floats


class AveragePredictor(RankPredictor):
    """The mean of what `members` say of the labels' normal scores; the deviation is theirs and that between them."""

    def __init__(self, members: Sequence[Predictor]):
        if not members:
            raise ValueError("give at least one member")
        self.members = tuple(members)

    def learn(self, population: Population, scores: Floats) -> None:
        """Let every member learn scores [n]."""
        for member in self.members:
            member.fit(population, scores)

    def scores(self, population: Population) -> tuple[Floats, Floats]:
        """Mean and deviation over members."""
        self.require_fitted()
        each = [member.estimate(population) for member in self.members]
        means, variances = np.stack([one.mean for one in each]), np.stack([one.std**2 for one in each])
        return means.mean(axis=0), np.sqrt(variances.mean(axis=0) + means.var(axis=0))
