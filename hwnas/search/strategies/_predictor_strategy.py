"""Strategies that learn: random networks first, then what a predictor of everything seen makes shortlist."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from hwnas.accuracy import Predictor
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats, Function


@dataclass(eq=False, kw_only=True)
class PredictorStrategy(MemoryStrategy):
    """Suggests `initial` random networks, then `batch` at a time what `propose` finds with a fresh fit.

    A strategy of this kind says which predictor, how many to begin with and how many at a time are its own.
    """

    predictor: Predictor = None  # type: ignore[assignment]  # the strategy's own
    initial: int = 10
    batch: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self.predictor = self.predictor or self.default_predictor(self.space, self.seed)

    @staticmethod
    @abstractmethod
    def default_predictor(space: SearchSpace, seed: int) -> Predictor:
        """The predictor that is used when none is given."""

    @abstractmethod
    def propose(self) -> Population:
        """New networks, the most promising first, [n, genes], by the predictor just fitted on all seen."""

    def choose(self) -> Population:
        """The next networks; random ones when there is nothing to propose."""
        memory = self.memory
        if len(memory) < self.initial:
            return memory.random_new(min(self.batch, self.initial - len(memory)))
        self.predictor.fit(memory.population, memory.accuracy)
        proposed = self.propose()[: self.batch]
        return proposed if len(proposed) else memory.random_new(self.batch)

    def predicted(self, population: Population) -> Floats:
        """The accuracies of genotypes [n, genes], [n]."""
        return self.predictor.estimate(population).mean


def best_first(population: Population, worth: Function) -> Population:
    """Genotypes [n, genes] from the highest `worth` [n] to the lowest; equals as they were."""
    ranked: Population = population[np.argsort(-worth(population), kind="stable")] if len(population) else population
    return ranked
