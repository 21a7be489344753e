"""GCN-fit: a sample, a fit, and the best by the fit."""

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator, Predictor
from hwnas.accuracy.predictors import RidgePredictor
from hwnas.search import STRATEGIES, Budget, GCNFitStrategy, Problem, best_by_segments, search
from hwnas.search.contract import check_strategy
from hwnas.spaces import NasBenchMacro, mbconv_space

MACRO = NasBenchMacro()


class Counting(Predictor):
    """A ridge that counts its fits."""

    def __init__(self, space):
        self.inner, self.sizes = RidgePredictor(space), []

    def fit(self, population, accuracy):
        self.sizes.append(len(accuracy))
        self.inner.fit(population, accuracy)
        return self

    def estimate(self, population):
        return self.inner.estimate(population)


class Supernet(AccuracyEstimator):
    """Larger is better; it counts what it is asked."""

    def __init__(self):
        self.asked = 0

    def estimate(self, population):
        self.asked += len(population)
        mean = 0.5 + 0.02 * population.sum(axis=1) + 0.01 * (population == 2).sum(axis=1)
        return AccuracyEstimate(mean, np.zeros(len(mean)))


@pytest.mark.parametrize("space", ["mbconv-32", "chain", "tiny chain"])
def test_it_keeps_the_contract_of_strategies(space, chain, latency):
    space = {"mbconv-32": mbconv_space("mbconv-32"), "chain": chain(), "tiny chain": chain(2, 3)}[space]

    def make(problem, **options):
        return GCNFitStrategy(problem, predictor=RidgePredictor(space), **options)

    check_strategy(make, space, rounds=5)
    model = latency(space)
    middle = float(np.median(model.upper_ms(space.sample(np.random.default_rng(0), 200))))
    check_strategy(make, space, budgets=[Budget.latency(model, middle)])


def test_after_the_sample_come_the_best_by_the_fit():
    budget = Budget("layers", 4, lambda population: (population > 0).sum(axis=1).astype(float))
    problem, predictor = Problem(MACRO, Supernet(), budgets=(budget,)), Counting(MACRO)
    strategy = GCNFitStrategy(problem, predictor=predictor)
    found = search(problem, strategy, 60)
    assert len(found) == 60
    assert predictor.sizes == [20, 30, 50]  # each half as many again
    sample, first = found.accuracy[:20], found.accuracy[20:30]
    assert first.min() > np.median(sample)
    assert found.accuracy.max() == pytest.approx(0.5 + 4 * 0.05)


def test_one_fit_answers_for_another_budget_without_the_supernet(latency):
    space = mbconv_space("mbconv-32")
    supernet, model = Supernet(), latency(space)
    sample = space.sample(np.random.default_rng(0), 200)
    fit = RidgePredictor(space).fit(sample, supernet.estimate(sample).mean)
    asked = supernet.asked
    upper_ms, best = model.upper_ms(sample), []
    for budget_ms in np.quantile(upper_ms, [0.1, 0.5]):
        budgets = (Budget.latency(model, float(budget_ms)),)
        found = best_by_segments(Problem(space, fit, budgets=budgets)).population
        assert (model.upper_ms(found) <= budget_ms).all()
        best.append(fit.estimate(found[:1]).mean[0])
    assert supernet.asked == asked
    assert best[1] > best[0]


def test_a_run_learns_its_table_once():
    assert [name for name, entry in STRATEGIES.items() if entry.table] == ["gcn-fit"]
    assert STRATEGIES["gcn-fit"].evaluations == "few"
