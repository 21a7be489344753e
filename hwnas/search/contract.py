"""The contract every `SearchStrategy` keeps; run it on your own: `check_strategy(MyStrategy, space)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search.budget import Budget, feasible
from hwnas.search.evaluated import Evaluated
from hwnas.search.feasibility import sample_within
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy, SpaceExhausted
from hwnas.spaces import Population, SearchSpace, unique_genotypes
from hwnas.spaces.contract import check_population
from latency_tables.arrays import Floats

Make = Callable[..., SearchStrategy]

_OBSERVED = 6  # networks, each time
_WARM = 3


def check_strategy(
    make: Make,
    space: SearchSpace,
    rounds: int = 4,
    seed: int = 0,
    budgets: Sequence[Budget] = (),
    suggests_observed: bool = False,
) -> None:
    """Raise AssertionError unless strategies keep the contract on `space`, and every one of `budgets`.

    They are made by `make(problem, seed=...)` and `make(problem, seed=..., warm_start=...)`. Two of one seed take
    turns, so that one which draws from a generator that is not its own is found out. One that suggests every network
    once may stop with `SpaceExhausted`. `suggests_observed`: it is documented to suggest what it has observed.
    """
    problem = _problem(space, budgets, seed)
    _check_turns(make, problem, rounds, seed)
    _check_observed(make, problem, seed, suggests_observed)
    _check_warm_start(make, problem, seed)
    if space.size > 100:
        other = _suggestion(problem, make(problem, seed=seed + 1))
        same = np.array_equal(other, _suggestion(problem, make(problem, seed=seed)))
        assert not same, "another seed must suggest other networks"


def _problem(space: SearchSpace, budgets: Sequence[Budget], seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    width = space.encode(space.sample(rng, 1)).shape[1]
    accuracy, ms = rng.random((2, width))
    return _MadeUpProblem(space, _MadeUp(space, accuracy), budgets=tuple(budgets), ms_weights=ms)


def _check_turns(make: Make, problem: Problem, rounds: int, seed: int) -> None:
    first, second = make(problem, seed=seed), make(problem, seed=seed)
    for round_ in range(rounds):
        try:
            mine = _suggestion(problem, first)
        except SpaceExhausted:
            assert round_ > 0, "the first suggestion must not find the space exhausted"
            break
        twin = _suggestion(problem, second)
        assert np.array_equal(mine, twin), f"same seed and same answers, but round {round_ + 1} suggests other networks"
        before = mine.copy()
        first.update(problem.evaluate(mine))
        assert np.array_equal(mine, before), "update must not change the genotypes it is given"
        second.update(problem.evaluate(twin))


def _check_observed(make: Make, problem: Problem, seed: int, suggests_observed: bool) -> None:
    """Data before the first suggestion, after some suggestions, and between a suggestion and its answer."""
    space, rng = problem.space, np.random.default_rng([seed, 1])
    first, second = make(problem, seed=seed), make(problem, seed=seed)
    observed = space.sample(rng, 0)
    for round_ in range(3):
        data = space.sample(rng, _OBSERVED)
        before = data.copy()
        if round_ != 1:
            for strategy in (first, second):
                strategy.observe(problem.evaluate(data))
            assert np.array_equal(data, before), "observe must not change the genotypes it is given"
            observed = np.concatenate([observed, data])
        try:
            mine = _suggestion(problem, first)
        except SpaceExhausted:
            break
        assert np.array_equal(mine, _suggestion(problem, second)), "same seed and same data, but other suggestions"
        again = len(unique_genotypes(mine)) - len(unique_genotypes(mine, observed))
        assert suggests_observed or not again, "what was observed must not be suggested"
        if round_ == 1:
            for strategy in (first, second):
                strategy.observe(problem.evaluate(data))
            observed = np.concatenate([observed, data])
        for strategy in (first, second):
            strategy.update(problem.evaluate(mine))


def _check_warm_start(make: Make, problem: Problem, seed: int) -> None:
    drawn = sample_within(problem.space, problem.budgets, np.random.default_rng([seed, 2]), 10 * _WARM)
    warm = unique_genotypes(drawn)[:_WARM]
    strategy = make(problem, seed=seed, warm_start=warm)
    suggested = problem.space.sample(np.random.default_rng(0), 0)
    while len(suggested) < len(warm):
        mine = _suggestion(problem, strategy)
        strategy.update(problem.evaluate(mine))
        suggested = np.concatenate([suggested, mine])
    assert np.array_equal(suggested[: len(warm)], warm), (
        "a warm start inside the budgets must be suggested first, as it is"
    )


def _suggestion(problem: Problem, strategy: SearchStrategy) -> Population:
    population = strategy.suggest()
    assert population is not None, "suggest must always suggest something"
    check_population(problem.space, population, "suggest")
    assert len(population) >= 1, "suggest must give at least one genotype"
    assert feasible(problem.budgets, population).all(), "suggest must keep every budget"
    return population


@dataclass(frozen=True)
class _MadeUp(AccuracyEstimator):
    """Additive in the encoding, in the usual range."""

    space: SearchSpace
    weights: Floats

    def estimate(self, population: Population) -> AccuracyEstimate:
        mean = self.space.encode(population) @ (self.weights / self.weights.sum())
        return AccuracyEstimate(mean, np.full(len(mean), 0.01))


@dataclass(frozen=True)
class _MadeUpProblem(Problem):
    """Milliseconds that are additive in the encoding too, for spaces without a latency table."""

    ms_weights: Floats = field(kw_only=True)

    def evaluate(self, population: Population) -> Evaluated:
        estimate = self.accuracy.estimate(population)
        ms = 1.0 + self.space.encode(population) @ (self.ms_weights / self.ms_weights.sum())
        return Evaluated(population, estimate.mean, estimate.std, ms, 1.05 * ms)
