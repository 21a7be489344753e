"""A warm start is asked about first, inside the budgets, by every strategy that remembers."""

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import STRATEGIES, Budget, EvolutionStrategy, Problem, make_strategy, search
from hwnas.search.strategies._memory import Memory
from hwnas.spaces import NasBenchMacro
from hwnas.spaces.genotypes import ArchError

MACRO = NasBenchMacro()
WARM = np.array([[2, 0, 0, 0, 0, 0, 0, 1], [1] * 8, [2, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 2, 2, 0, 0, 0]])


class Weighted(AccuracyEstimator):
    """Every layer is worth its place."""

    def estimate(self, population):
        mean = population @ np.arange(1, 9) / 72
        return AccuracyEstimate(mean, np.zeros(len(mean)))


def layers(limit):
    return Budget("layers", limit, lambda population: (population > 0).sum(axis=1).astype(float))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_asks_about_the_warm_start_first(name):
    budget = layers(3)
    problem = Problem(MACRO, Weighted(), budgets=(budget,))
    found = search(problem, make_strategy(name, problem, warm_start=WARM), 16)
    assert found.population[0].tolist() == WARM[0].tolist()
    assert (found.population[1] > 0).sum() <= 3, "eight layers were too many"
    assert found.population[2].tolist() == WARM[3].tolist()
    assert len(found) >= 16, "and no network twice"
    assert (budget.cost(found.population) <= 3).all()


def test_the_same_seed_brings_it_inside_in_the_same_way():
    problem = Problem(MACRO, Weighted(), budgets=(layers(2),))
    first, second, other = (EvolutionStrategy(problem, seed=seed, warm_start=WARM[1:2]) for seed in (0, 0, 1))
    assert np.array_equal(first.suggest(), second.suggest())
    assert not np.array_equal(first.suggest(), other.suggest())


def test_a_warm_start_that_is_told_about_is_not_asked_about():
    problem = Problem(MACRO, Weighted())
    strategy = EvolutionStrategy(problem, warm_start=WARM)
    strategy.observe(problem.evaluate(WARM[:1]))
    assert strategy.suggest().tolist() == [[1] * 8]


def test_what_no_mutation_brings_inside_is_left_out():
    stubborn = Budget("not 1", 0.5, lambda population: (population != 1).any(axis=1).astype(float))
    memory = Memory(Problem(MACRO, Weighted(), budgets=(stubborn,)), 0)
    assert memory.warm_started(WARM).tolist() == [[1] * 8]


def test_no_warm_start_is_none():
    assert Memory(Problem(MACRO, Weighted()), 0).warm_started(None).shape == (0, 8)


def test_what_is_not_of_the_space_is_an_error():
    with pytest.raises(ArchError, match=r"must be in 0..2, got 3"):
        EvolutionStrategy(Problem(MACRO, Weighted()), warm_start=np.array([[3] * 8]))
