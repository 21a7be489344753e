"""Ridge regression: the predictor to beat, and hard to beat with very few labels; on slots it is searched exactly."""

from __future__ import annotations

from sklearn.linear_model import BayesianRidge

from hwnas.accuracy.predictors._ranks import RankPredictor
from hwnas.accuracy.predictors._views import ScaledViews
from hwnas.spaces import Population, SearchSpace
from latency_tables.additive import Factors
from latency_tables.arrays import Floats


class RidgePredictor(RankPredictor):
    """Linear in all views of a network; the penalty is the one that the evidence favours (MacKay 1992)."""

    def __init__(self, space: SearchSpace):
        self._views = ScaledViews(space)
        self._model = BayesianRidge()

    def features(self, population: Population) -> Floats:
        """What the model is linear in, [n, f]: all views side by side."""
        return self._views.joined(population)

    def learn(self, population: Population, scores: Floats) -> None:
        """Fit scores [n]."""
        self._model.fit(self.features(population), scores)

    def scores(self, population: Population) -> tuple[Floats, Floats]:
        """Posterior mean and deviation, the noise of one training included."""
        self.require_fitted()
        mean, std = self._model.predict(self.features(population), return_std=True)
        return mean, std


class AdditivePredictor(RidgePredictor):
    """As `RidgePredictor`, on what each option of every slot adds; `factors` go to `hwnas.search.exact_front`."""

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
