"""An additive model of accuracy: what each choice of every slot adds. It can be searched exactly."""

from __future__ import annotations

from hwnas.accuracy.predictors.linear import RidgePredictor
from hwnas.spaces import Population, SearchSpace
from latency_tables.additive.factors import Factors, SlotFactors
from latency_tables.arrays import Floats


class AdditivePredictor(RidgePredictor):
    """Bayesian ridge regression (MacKay 1992) on one-hot choices; `factors` go to `hwnas.search.exact.front`."""

    def __init__(self, space: SearchSpace):
        super().__init__(space)
        self._slots = SlotFactors(space)

    def features(self, population: Population) -> Floats:
        """One-hot choices of every slot, [n, choices of all slots]."""
        return self._slots.one_hot(population)

    @property
    def factors(self) -> Factors:
        """The mean scores as tables: the higher, the more accurate. Raises `NotSeparable` for a graph's."""
        self.require_fitted()
        return self._slots.linear(self._model.coef_).plus_constant(float(self._model.intercept_))
