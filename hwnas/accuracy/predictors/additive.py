"""An additive model of accuracy: what each choice of every slot adds. It can be searched exactly."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy._base import Floats
from hwnas.accuracy.predictors.linear import RidgePredictor
from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.factors import Factors


class AdditivePredictor(RidgePredictor):
    """Bayesian ridge regression (MacKay 1992) on one-hot choices; `factors` go to `hwnas.search.exact_front`."""

    def __init__(self, space: SearchSpace):
        super().__init__(space)
        self.space = space

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """The first column of each slot, and one past the last."""
        return np.concatenate([[0], np.cumsum([len(slot) for slot in self.space.slots])])

    def features(self, population: Population) -> Floats:
        """One-hot choices of every slot, [n, choices of all slots]."""
        columns = self.space.slot_choices(population) + self._starts[:-1]
        features = np.zeros((len(population), self._starts[-1]))
        features[np.arange(len(population))[:, None], columns] = 1
        return features

    @property
    def factors(self) -> Factors:
        """The mean scores as tables: the higher, the more accurate. Raises `NotSeparable` for a graph's."""
        self.require_fitted()
        per_slot = np.split(self._model.coef_, self._starts[1:-1])
        return Factors.of_slots(self.space, per_slot).plus_constant(float(self._model.intercept_))
