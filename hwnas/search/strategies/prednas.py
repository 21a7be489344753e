"""PredNAS (arXiv 2210.14460): gradient ascent on the architecture itself, through a differentiable predictor.

The paper relaxes one-hot choices and follows the gradient of a predictor. Here a relaxed architecture draws every gene
on its own, and its features are expected features. At a network, the derivative in the probability of one choice is
then exactly the predictor's gradient times the change of features when that choice is made, for *any* encoding. Each
step maximises this linear gain less a price on the budgets' costs: the linear programme of a multiple-choice
knapsack, solved by its Lagrangian for a ladder of prices. Steps end at networks, so budgets are kept exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hwnas.accuracy.predictors import AdditiveGaussianProcess, DifferentiablePredictor
from hwnas.search.budget import feasible
from hwnas.search.moves import Moves
from hwnas.search.strategies._predictor_strategy import best_first
from hwnas.search.strategies.bayesian import BayesianStrategy
from hwnas.spaces import Population, SearchSpace, unique_genotypes
from latency_tables.arrays import Floats

_STRIDES = (1, 2, 3, 5, 8)  # how many genes one step may change
_EXCHANGES = 24  # pairs of moves that are tried together under a budget
_PRICES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)  # of budgets, relative to the gain per cost of the best moves


@dataclass(eq=False, kw_only=True)
class PredNASStrategy(BayesianStrategy):
    """Ascends an upper confidence bound of the predictor from the best networks seen, random ones and near misses.

    `optimism` is the number of deviations in the bound; `starts` the number of ascents for one suggestion.
    """

    initial: int = 1
    optimism: float = 2.0
    starts: int = 20
    steps: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        self._moves = Moves(self.space)
        self._runners_up = self.memory.population  # of the last suggestion: the next one is rarely far

    @staticmethod
    def default_predictor(space: SearchSpace, seed: int) -> DifferentiablePredictor:
        """A Gaussian process on every view of the space."""
        return AdditiveGaussianProcess(space)

    def propose(self) -> Population:
        """What the ascents passed through and nobody has trained yet, the highest bound first."""
        memory, half = self.memory, self.starts // 2
        known = memory.best(half)
        chance = memory.random_new(self.starts - len(known))
        fresh = memory.new(self.ascend(np.concatenate([known, chance, memory.new(self._runners_up)])))
        fresh = best_first(fresh, self.bound)
        self._runners_up = fresh[: self.batch + half]
        return fresh

    def ascend(self, here: Population) -> Population:
        """Climb from genotypes [s, genes] that keep the budgets; every network passed or looked at that keeps them."""
        value, visited = self.bound(here), [here]
        for _ in range(self.steps):
            around, gains = self._gains(here)
            # Linear steps first; single changes too, so that the climb ends where no single change is better.
            candidates = np.concatenate([self._offers(here, around, gains), around], axis=1)
            flat = candidates.reshape(-1, here.shape[1])
            inside = feasible(self.memory.budgets, flat)
            bounds = np.where(inside, self.bound(flat), -np.inf).reshape(candidates.shape[:2])
            visited.append(flat[inside])
            best = bounds.argmax(axis=1)
            risen = bounds[np.arange(len(here)), best]
            up = risen > value + 1e-12
            if not up.any():
                break
            here = candidates[np.arange(len(here)), best][up]
            value = risen[up]
        return unique_genotypes(np.concatenate(visited))

    def _gains(self, here: Population) -> tuple[Population, Floats]:
        """All single changes of genotypes [s, genes], [s, moves, genes], and the derivative along each, [s, moves]."""
        features = self.predictor.features(here).requires_grad_()
        mean, std = self.predictor.latent(features)
        (slope,) = torch.autograd.grad((mean + self.optimism * std).sum(), features)
        around = self._moves.apply(here)
        moved = self.predictor.features(around.reshape(-1, here.shape[1])).reshape(*around.shape[:2], -1)
        gains: Floats = torch.einsum("smf,sf->sm", moved - features.detach()[:, None], slope).numpy()
        return around, gains

    def _offers(self, here: Population, around: Population, gains: Floats) -> Population:
        """What the linear programme offers from each genotype, for every price and stride, [s, offers, genes]."""
        dearer = self._dearer(here, around)  # [budgets, s, moves]
        if not len(dearer):
            offers = self._strides(here, gains)
        else:
            extra = dearer.sum(axis=0)
            scale = np.abs(gains).max(axis=1) / np.maximum(np.abs(extra).max(axis=1), 1e-12)
            worths = (gains - price * (scale[:, None] * extra) for price in _PRICES)
            offers = [offer for worth in worths for offer in self._strides(here, worth)]
            offers += self._exchanges(here, gains, dearer)
        return np.stack([self.space.canonical(o) for o in offers], axis=1)

    def _dearer(self, here: Population, around: Population) -> Floats:
        """How much of its limit each move costs of each budget, [budgets, s, moves]."""
        flat, shape, budgets = around.reshape(-1, here.shape[1]), around.shape[:2], self.memory.budgets
        return np.array([(b.cost(flat).reshape(shape) - b.cost(here)[:, None]) / b.limit for b in budgets])

    def _strides(self, here: Population, worth: Floats) -> list[Population]:
        """The best one, two, three ... moves of different genes from each genotype, as far as they are worth it."""
        best = self._moves.best_of_each_gene(worth)  # [s, free genes], indices into moves
        most = np.take_along_axis(worth, best, axis=1)
        order = np.argsort(-most, axis=1, kind="stable")
        chosen, strides = here.copy(), []
        for rank in range(min(_STRIDES[-1], order.shape[1])):
            rows = np.flatnonzero(np.take_along_axis(most, order[:, rank : rank + 1], axis=1)[:, 0] > 0)
            self._moves.make(chosen, best[rows, order[rows, rank]], rows)
            if rank + 1 in _STRIDES:
                strides.append(chosen.copy())
        return strides

    def _exchanges(self, here: Population, gains: Floats, dearer: Floats) -> list[Population]:
        """The pairs of moves, one to pay for the other, that gain most and keep the budgets as far as costs add up."""
        slack = np.array([1 - b.cost(here) / b.limit for b in self.memory.budgets])
        fits = (dearer[:, :, :, None] + dearer[:, :, None] <= slack[:, :, None, None]).all(axis=0)
        allowed = fits & (self._moves.gene[:, None] < self._moves.gene)
        together = np.where(allowed, gains[:, :, None] + gains[:, None], -np.inf).reshape(len(here), -1)
        rows, pairs = np.arange(len(here)), []
        for pick in np.argsort(-together, axis=1, kind="stable")[:, :_EXCHANGES].T:
            chosen = here.copy()
            for move in np.divmod(pick, gains.shape[1]):
                self._moves.make(chosen, move, rows)
            pairs.append(chosen)
        return pairs
