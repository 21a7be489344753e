"""GCN-fit (Chen et al. 2021, "Fitting the Search Space of Weight-sharing NAS with Graph Convolutional Networks").

A few networks are scored by the supernet, a fit of the scores answers for all others, and a beam over segments of the
space finds the best by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hwnas.accuracy import Predictor
from hwnas.accuracy.supernet_fit import SupernetFit
from hwnas.search.segments import SUPER_CELLS, best_by_segments
from hwnas.search.strategies._predictor_strategy import PredictorStrategy
from hwnas.spaces import Population, SearchSpace

_MORE = 1.5  # times as many networks as the last fit knew are worth another


@dataclass(eq=False, kw_only=True)
class GCNFitStrategy(PredictorStrategy):
    """Samples `initial` networks, then suggests the best that a beam of `kept` super-cells finds by the fit.

    The sample is drawn from the whole space at once and serves all segments; the paper samples each segment anew.
    """

    initial: int = 20
    kept: int = SUPER_CELLS
    _known: int = field(default=0, init=False)

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """A graph network or a Gaussian process with trees, whichever ranks scores held out better."""
        return SupernetFit(space, seed)

    def choose(self) -> Population:
        """The next of the sample, then the best by the fit that were not seen."""
        memory = self.memory
        if len(memory) < self.initial:
            return memory.random_new(min(self.batch, self.initial - len(memory)))
        if len(memory) >= _MORE * self._known:
            self.predictor.fit(memory.population, memory.accuracy)
            self._known = len(memory)
            self._ranked = self.propose()
        left = memory.new(self._ranked)[: self.batch]
        return left if len(left) else memory.random_new(self.batch)

    def propose(self) -> Population:
        """All that the beam looked at, the best first."""
        return best_by_segments(replace(self.problem, accuracy=self.predictor), self.kept, self.seed).population
