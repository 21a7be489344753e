"""The exact strategy: the optimum of what adds up after few answers, then the next best, in order."""

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, ExactStrategy, Problem, best_network
from hwnas.spaces import NasBench101, mbconv_space
from latency_tables.additive.factors import NotSeparable

SPACE = mbconv_space("mbconv-32")


def some_factors(space, seed, least=0.0):
    rng = np.random.default_rng(seed)
    return space.layout.factors([least + rng.random(len(slot.options)) for slot in space.slots])


class Summed(AccuracyEstimator):
    def __init__(self, worth):
        self.worth = worth

    def estimate(self, population):
        mean = self.worth(population)
        return AccuracyEstimate(mean, np.zeros(len(mean)))


def problem_with_a_budget():
    ms = some_factors(SPACE, 2, least=0.1)
    limit = float(np.median(ms(SPACE.sample(np.random.default_rng(0), 500))))
    return Problem(SPACE, Summed(some_factors(SPACE, 1)), budgets=(Budget("ms", limit, ms),))


def test_what_adds_up_is_nearly_solved_by_the_first_suggestion_after_enough_data():
    problem = problem_with_a_budget()
    strategy = ExactStrategy(problem)
    strategy.observe(problem.evaluate(SPACE.sample(np.random.default_rng(3), 3000)))
    first = strategy.suggest()
    best = best_network(SPACE, problem.accuracy.worth, problem.budgets)
    assert problem.accuracy.worth(first)[0] == pytest.approx(best.value, rel=1e-3)  # ridge shrinks


def test_a_batch_is_the_best_ones_by_the_model_in_order():
    problem = problem_with_a_budget()
    strategy = ExactStrategy(problem, batch=4)
    strategy.observe(problem.evaluate(SPACE.sample(np.random.default_rng(3), 200)))
    batch = strategy.suggest()
    value = strategy.predictor.factors(batch)
    assert len(np.unique(batch, axis=0)) == 4
    assert (np.diff(value) <= 1e-9).all()
    around = np.concatenate([SPACE.neighbours(arch) for arch in batch])
    inside = around[problem.budgets[0].cost(around) <= problem.budgets[0].limit]
    others = inside[[not (arch == batch).all(axis=1).any() for arch in inside]]
    assert strategy.predictor.factors(others).max() <= value[-1] + 1e-9


def test_a_space_that_can_be_listed_is_looked_up_whatever_the_budget(chain):
    space = chain(genes=3, values=3)
    odd = Budget("odd", 0.5, lambda population: population.sum(axis=1) % 2)
    problem = Problem(space, Summed(some_factors(space, 1)), budgets=(odd,))
    strategy = ExactStrategy(problem, initial=5)
    strategy.observe(problem.evaluate(space.sample(np.random.default_rng(0), 20)))
    suggested = strategy.suggest()
    assert (suggested.sum(axis=1) % 2 == 0).all()
    new = strategy.memory.all_new()
    assert strategy.predictor.factors(suggested)[0] == pytest.approx(strategy.predictor.factors(new).max())


def test_a_graph_is_refused():
    space = NasBench101()
    problem = Problem(space, Summed(lambda population: np.arange(len(population)) / len(population)))
    strategy = ExactStrategy(problem)
    strategy.observe(problem.evaluate(space.sample(np.random.default_rng(0), 20)))
    with pytest.raises(NotSeparable):
        strategy.suggest()
