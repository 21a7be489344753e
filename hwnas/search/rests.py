"""Rests: ways to complete a network whose first genes are decided, from the most accurate to the cheapest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from hwnas.accuracy.predictors import AdditivePredictor
from hwnas.search.exact.rest import CheapestRest
from hwnas.search.feasibility import closest, sample_within
from hwnas.search.problem import Problem
from hwnas.spaces import Genotype, Population
from latency_tables.additive import Factors, Hinged, NotSeparable
from latency_tables.arrays import Function

_SAMPLE = 1000  # networks that a sum over choices is fitted to
_PRICES = (0.0, *np.geomspace(0.03, 10, 30))  # of a deviation of cost, in deviations of accuracy
_DRAWN = 30

Complete = Callable[[Population], Population]
"""Genotypes [n, genes] with the same first genes, and others after them."""


def rests_of(problem: Problem, seed: int = 0) -> Callable[[int], Iterator[Complete]]:
    """Called with how many genes are decided, it gives the rests.

    By a sum over choices that resembles the accuracy, a rest is the best there is at some price of cost; the last ones
    are the cheapest there is. Where accuracy or costs are no sums over genes, rests are those of random networks that
    keep the budgets.
    """
    space, budgets = problem.space, problem.budgets
    sample = space.sample(np.random.default_rng([seed, 11]), _SAMPLE)
    try:
        gain = AdditivePredictor(space).fit(sample, problem.accuracy.estimate(sample).mean).factors
        costs = [_straight(budget.cost) for budget in budgets]
    except NotSeparable:
        return _drawn(problem, seed)
    total = gain.scaled(0.0)
    for cost in costs:
        total = total.plus(cost.scaled(1 / (float(cost(sample).std()) or 1.0)))
    prices = _PRICES if costs else (0.0,)

    def rests(decided: int) -> Iterator[Complete]:
        for price in prices:
            yield CheapestRest(total.scaled(price).plus(gain.scaled(-1.0)), decided)
        for cost in costs:
            yield CheapestRest(cost, decided)

    return rests


def _straight(cost: Function) -> Factors:
    """A cost as tables, what is over a knee counted from the first unit; raises `NotSeparable` for other functions."""
    if isinstance(cost, Hinged):
        straight = cost.additive
        for hinge in cost.hinges:
            straight = straight.plus(hinge.load.scaled(hinge.slope))
        return straight
    if isinstance(cost, Factors):
        return cost
    raise NotSeparable("a cost does not add up over genes")


def _drawn(problem: Problem, seed: int) -> Callable[[int], Iterator[Complete]]:
    space, budgets = problem.space, problem.budgets
    networks = sample_within(space, budgets, np.random.default_rng([seed, 12]), _DRAWN)
    networks = networks[np.argsort(-problem.accuracy.estimate(networks).mean, kind="stable")]
    if budgets:
        networks = np.concatenate([networks, closest(space, budgets)[None]])

    def rests(decided: int) -> Iterator[Complete]:
        for network in networks:
            yield partial(_with_rest, network, decided)

    return rests


def _with_rest(network: Genotype, decided: int, population: Population) -> Population:
    whole = population.copy()
    whole[:, decided:] = network[decided:]
    return whole
