"""Forests: averages of trees on bootstrap samples, and boosted trees; scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from hwnas.accuracy.predictors._ranks import RankPredictor
from hwnas.accuracy.predictors._views import ScaledViews
from hwnas.spaces import Population, SearchSpace, View
from latency_tables.arrays import Floats


class _Trees(RankPredictor):
    """The mean of what fitted `members` say of `views`, the space's own by default, and the deviation between them."""

    members: Sequence[Any]

    def __init__(self, space: SearchSpace, views: Sequence[View] | None = None):
        self._views = ScaledViews(space, views)

    def scores(self, population: Population) -> tuple[Floats, Floats]:
        """Mean and deviation over members."""
        self.require_fitted()
        features = self._views.joined(population)
        each = np.stack([member.predict(features) for member in self.members])
        return each.mean(axis=0), each.std(axis=0)


class RandomForestPredictor(_Trees):
    """A random forest (Breiman 2001); the deviation is that between its trees."""

    def __init__(self, space: SearchSpace, seed: int = 0, trees: int = 100, views: Sequence[View] | None = None):
        super().__init__(space, views)
        self._model = RandomForestRegressor(trees, max_features=0.5, min_samples_leaf=1, random_state=seed)

    def learn(self, population: Population, scores: Floats) -> None:
        """Grow the trees on scores [n]."""
        self.members = self._model.fit(self._views.joined(population), scores).estimators_


class GradientBoostingPredictor(_Trees):
    """A few boosted ensembles (Friedman 2001), each on random subsamples; the deviation is that between them."""

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        members: int = 4,
        trees: int = 100,
        views: Sequence[View] | None = None,
    ):
        super().__init__(space, views)
        settings = {"n_estimators": trees, "learning_rate": 0.08, "max_depth": 4, "subsample": 0.7, "max_features": 0.4}
        self.members = [GradientBoostingRegressor(**settings, random_state=seed + i) for i in range(members)]

    def learn(self, population: Population, scores: Floats) -> None:
        """Fit every member on scores [n]."""
        features = self._views.joined(population)
        for member in self.members:
            member.fit(features, scores)
