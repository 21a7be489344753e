"""Search by a distribution over networks, learned by gradient and held to the budgets by projection.

DrNAS, BaLeNAS and DDPNAS learn theirs together with the weights of a supernet. Here answers come from any accuracy, and
few: a predictor of everything seen stands in for the many networks that a policy gradient needs (an actor and its
critic, Konda & Tsitsiklis 2000, "Actor-critic algorithms").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwnas.accuracy.predictors import AdditiveGaussianProcess, DifferentiablePredictor
from hwnas.search.differentiable import (
    DirichletDistribution,
    Distribution,
    GaussianDistribution,
    PrunedDistribution,
    SoftmaxDistribution,
)
from hwnas.search.feasibility import repair
from hwnas.search.strategies._predictor_strategy import best_first
from hwnas.search.strategies.bayesian import BayesianStrategy
from hwnas.spaces import Population, SearchSpace
from latency_tables.additive import Factors, Hinged


@dataclass(eq=False, kw_only=True)
class DistributionStrategy(BayesianStrategy):
    """For every suggestion a distribution of `kind` begins uniform and learns what the predictor hopes for.

    In each of `steps` it learns from the upper confidence bounds of `draws` networks that it draws. Those drawn,
    brought inside the budgets, are suggested, the highest bound first. Budgets that are no sums over genes do not move
    it.
    """

    kind: ClassVar[type[Distribution]]
    batch: int = 10
    optimism: float = 2.0
    steps: int = 30
    draws: int = 100
    learning_rate: float = 0.3

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> DifferentiablePredictor:
        """A Gaussian process on every view of the space."""
        return AdditiveGaussianProcess(space)

    def propose(self) -> Population:
        """All that was drawn on the way."""
        memory, drawn = self.memory, list[Population]()
        sums = [budget for budget in memory.budgets if isinstance(budget.cost, Factors | Hinged)]
        distribution = self.kind(self.space, sums, self.learning_rate)
        for step in range(self.steps):
            distribution.anneal(step / self.steps)
            drawn.append(distribution.sample(memory.rng, self.draws))
            distribution.learn(drawn[-1], self.bound(drawn[-1]))
        inside = repair(self.space, np.concatenate(drawn), memory.budgets, memory.rng)
        return best_first(memory.new(inside), self.bound)


@dataclass(eq=False, kw_only=True)
class SoftmaxStrategy(DistributionStrategy):
    """By a softmax per gene."""

    kind = SoftmaxDistribution


@dataclass(eq=False, kw_only=True)
class DirichletStrategy(DistributionStrategy):
    """By the distribution of DrNAS."""

    kind = DirichletDistribution


@dataclass(eq=False, kw_only=True)
class GaussianStrategy(DistributionStrategy):
    """By the distribution of BaLeNAS."""

    kind = GaussianDistribution


@dataclass(eq=False, kw_only=True)
class PrunedStrategy(DistributionStrategy):
    """By the distribution of DDPNAS."""

    kind = PrunedDistribution
