"""Where accuracies come from: measured, predicted, or both, always with an uncertainty."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from hwnas.spaces import Population
from latency_tables.arrays import Floats


@dataclass(frozen=True)
class AccuracyEstimate:
    """Accuracy as a fraction of 1 and its standard deviation, each [n]."""

    mean: Floats
    std: Floats


class AccuracyEstimator(ABC):
    """Anything that says how accurate networks are."""

    @abstractmethod
    def estimate(self, population: Population) -> AccuracyEstimate:
        """Validation accuracy of genotypes [n, genes]; the same genotypes give the same answer."""

    def each(self, population: Population) -> Iterator[tuple[int, float, float]]:
        """Index, mean and deviation of genotypes [n, genes], in any order, each as soon as it is known.

        By default all are known at once.
        """
        said = self.estimate(population)
        yield from zip(range(len(population)), said.mean.tolist(), said.std.tolist(), strict=True)


class Predictor(AccuracyEstimator):
    """An estimator that learns from (genotype, accuracy) pairs, in scikit-learn's habit."""

    @abstractmethod
    def fit(self, population: Population, accuracy: Floats) -> Predictor:
        """Learn from genotypes [n, genes] and their accuracies [n]; returns itself."""
