"""An additive model of accuracy: what each option of every slot adds. It can be searched exactly."""

from __future__ import annotations

from hwnas.accuracy.predictors.linear import RidgePredictor
from hwnas.spaces import SearchSpace
from latency_tables.additive import Factors
from latency_tables.arrays import Floats, Population


class AdditivePredictor(RidgePredictor):
    """Bayesian ridge regression (MacKay 1992) on one-hot options; `factors` go to `hwnas.search.exact_front`."""

    def __init__(self, space: SearchSpace):
        super().__init__(space)
        self._slots = space.layout

    def features(self, population: Population) -> Floats:
        """One-hot options of every slot, [n, options of all slots]."""
        return self._slots.one_hot(population)

    @property
    def factors(self) -> Factors:
        """The mean scores as tables: the higher, the more accurate. Raises `NotSeparable` for a graph's."""
        self.require_fitted()
        return self._slots.linear(self._model.coef_).plus_constant(float(self._model.intercept_))
