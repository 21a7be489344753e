from functools import partial

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.accuracy.predictors import MLPEnsemble
from hwnas.search import BOCSStrategy, Budget, Evaluated, Problem, RandomStrategy, SpaceExhausted, exact_front
from hwnas.search.budget import feasible
from hwnas.search.contract import check_strategy
from hwnas.search.strategies.bocs import _posterior_draws
from hwnas.spaces import NasBench101, mbconv_space
from latency_tables.additive.factors import NotSeparable

SPACE = mbconv_space("mbconv-32")


class Unasked(AccuracyEstimator):
    """Answers are made up by the tests."""

    def estimate(self, population):
        return AccuracyEstimate(*np.zeros((2, len(population))))


def of(space, *budgets):
    return Problem(space, Unasked(), budgets=budgets)


def some_factors(space, seed, least=0.0):
    rng = np.random.default_rng(seed)
    return space.layout.factors([least + rng.random(len(slot.options)) for slot in space.slots])


def answered(strategy, accuracy, evaluations):
    """Everything asked, in order, with its accuracies."""
    asked, answers = [], []
    while sum(map(len, asked)) < evaluations:
        population = strategy.suggest()
        accuracies = accuracy(population)
        unknown = np.full(len(population), np.nan)
        strategy.update(Evaluated(population, accuracies, unknown, unknown, unknown))
        asked.append(population)
        answers.append(accuracies)
    return np.concatenate(asked), np.concatenate(answers)


@pytest.mark.parametrize("space", [SPACE, mbconv_space("ofa-mbv3")], ids=lambda space: space.name)
def test_it_keeps_the_contract(space):
    ms = some_factors(space, 3, least=0.1)
    middle = float(np.median(ms(space.sample(np.random.default_rng(0), 500))))
    for budgets in ([], [Budget("ms", middle, ms)]):
        check_strategy(partial(BOCSStrategy, first=60, batch=40), space, rounds=6, budgets=budgets)


def test_what_adds_up_is_solved_by_the_first_surrogate():
    accuracy, ms = some_factors(SPACE, 1), some_factors(SPACE, 2, least=0.1)
    limit = float(np.median(ms(SPACE.sample(np.random.default_rng(0), 500))))
    strategy = BOCSStrategy(of(SPACE, Budget("ms", limit, ms)))
    first, _ = answered(strategy, accuracy, 1)
    _, second = answered(strategy, accuracy, 1)
    assert len(first) == 400
    assert second.max() == pytest.approx(exact_front(SPACE, accuracy, ms, limit).value[-1], abs=1e-3)


def products(space, seed):
    """What one choice is worth depends on all others."""
    a, b, c, d = (some_factors(space, [seed, k]) for k in range(4))
    return lambda population: a(population) * b(population) - c(population) * d(population)


def test_budgets_that_add_up_and_others_are_kept_together():
    accuracy, ms, mj = products(SPACE, 5), some_factors(SPACE, 6, least=0.1), some_factors(SPACE, 7, least=0.1)
    sample = SPACE.sample(np.random.default_rng(0), 500)
    budgets = [
        Budget("ms", float(np.quantile(ms(sample), 0.4)), ms),
        Budget("mJ", float(np.quantile(mj(sample), 0.5)), mj),
        Budget("rounded ms", float(np.quantile(ms(sample), 0.5)) + 1, lambda p: np.ceil(ms(p) ** 1.01)),
    ]
    asked, answers = answered(BOCSStrategy(of(SPACE, *budgets), first=200), accuracy, 1500)
    assert feasible(budgets, asked).all()
    _, by_chance = answered(RandomStrategy(of(SPACE, *budgets)), accuracy, 1500)
    assert answers.max() > by_chance.max() + 1


def test_nothing_is_asked_twice_and_all_of_a_small_space_in_the_end(chain):
    space = chain(genes=4, values=3)
    strategy = BOCSStrategy(of(space), first=10, batch=8)
    seen, _ = answered(strategy, products(space, 1), 81)
    assert len(np.unique(seen, axis=0)) == len(seen) == 81
    with pytest.raises(SpaceExhausted):
        strategy.suggest()


def test_the_best_of_a_space_that_can_be_listed(chain, enumerated):
    space = chain(genes=6, values=4)
    every = enumerated(space)
    for seed in range(5):
        accuracy = products(space, seed)
        _, answers = answered(BOCSStrategy(of(space), seed=seed, first=100, batch=50), accuracy, 1000)
        assert (accuracy(every) > answers.max()).sum() <= 2  # of 4096


def test_it_finds_better_networks_by_a_neural_predictor_than_chance():
    sample = SPACE.sample(np.random.default_rng(0), 200)
    predictor = MLPEnsemble(SPACE, 0).fit(sample, products(SPACE, 2)(sample))

    def accuracy(population):
        return predictor.estimate(population).mean

    _, answers = answered(BOCSStrategy(of(SPACE)), accuracy, 1500)
    _, by_chance = answered(RandomStrategy(of(SPACE)), accuracy, 1500)
    assert answers.max() > by_chance.max()


def test_draws_are_around_ridge_regression_and_wider_where_nothing_was_seen():
    rng = np.random.default_rng(0)
    features = np.column_stack([rng.normal(size=(300, 2)), np.zeros(300)])
    accuracy = 2 * features[:, 0] - features[:, 1] + 0.1 * rng.normal(size=300)
    drawn = _posterior_draws(features, accuracy, 200, rng) * accuracy.std()
    assert drawn[0] == pytest.approx([2, -1, 0], abs=0.03)
    assert drawn.mean(axis=0) == pytest.approx(drawn[0], abs=0.05)
    assert drawn.std(axis=0)[2] > 5 * drawn.std(axis=0)[:2].max()


def test_a_graph_is_refused():
    with pytest.raises(NotSeparable):
        answered(BOCSStrategy(of(NasBench101()), first=20), lambda p: np.arange(len(p)) / len(p), 100)
