"""What all strategies that ask for expensive answers have in common."""

from functools import partial

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import STRATEGIES, Budget, InfeasibleBudget, Problem, make_strategy, search
from hwnas.search.contract import check_strategy
from hwnas.spaces import NasBenchMacro, every_network, mbconv_space
from latency_tables import HwnasError

pytestmark = pytest.mark.slow
MACRO = NasBenchMacro()


class Rugged(AccuracyEstimator):
    """More and larger layers are better, up to a point, and neighbours of a kind help each other."""

    def estimate(self, population):
        size = population.sum(axis=1)
        pairs = (population[:, 1:] == population[:, :-1]).sum(axis=1)
        mean = 0.9 - 0.004 * (size - 11) ** 2 + 0.01 * pairs
        return AccuracyEstimate(mean, np.zeros(len(mean)))


@pytest.mark.parametrize("space", ["mbconv-32", "chain", "tiny chain"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_keep_the_contract(name, space, chain):
    space = {"mbconv-32": mbconv_space("mbconv-32"), "chain": chain(), "tiny chain": chain(2, 3)}[space]
    rounds = {"evolution": 40, "gp-ucb": 13}.get(name, 5)  # beyond the random ones that each begins with
    check_strategy(partial(make_strategy, name), space, rounds)


@pytest.mark.parametrize("name", STRATEGIES)
def test_strategies_keep_the_contract_under_a_budget(name, latency):
    space = mbconv_space("mbconv-32")
    model = latency(space)
    random = model.predict(space.sample(np.random.default_rng(0), 200)).upper_ms
    budgets = [Budget.latency(model, float(np.quantile(random, 0.1)))]
    rounds = {"evolution": 40, "gp-ucb": 13}.get(name, 4)
    check_strategy(partial(make_strategy, name), space, rounds, budgets=budgets)


@pytest.mark.parametrize("name", STRATEGIES)
def test_budgets_are_kept_by_every_suggestion(name):
    budget = Budget("layers", 4, lambda population: (population > 0).sum(axis=1).astype(float))
    problem = Problem(MACRO, Rugged(), budgets=(budget,))
    found = search(problem, make_strategy(name, problem), 40)
    assert len(found) >= 40  # and no network twice
    assert (budget.cost(found.population) <= 4).all()


@pytest.mark.parametrize("name", STRATEGIES)
def test_budgets_are_kept_where_a_space_cannot_be_listed(name, latency):
    space = mbconv_space("mbconv-32")
    model = latency(space)
    middle = float(np.quantile(model.predict(space.sample(np.random.default_rng(0), 200)).upper_ms, 0.1))
    budget = Budget.latency(model, middle)
    problem = Problem(space, _FewBlocks(), model, (budget,))
    found = search(problem, make_strategy(name, problem), 24)
    assert (found.upper_ms <= middle).all()
    assert len(found) >= 24


class _FewBlocks(AccuracyEstimator):
    def estimate(self, population):
        mean = 0.5 + 0.01 * population.sum(axis=1) / population.shape[1]
        return AccuracyEstimate(mean, np.zeros(len(mean)))


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_small_space_is_searched_to_its_end_and_that_is_said(name, chain, additive):
    space, said = chain(3, 3), []
    problem = Problem(space, additive(space))
    found = search(problem, make_strategy(name, problem), 1000, lambda *a: said.append(a[2]))
    assert sorted(map(tuple, found.population)) == sorted(map(tuple, every_network(space)))
    assert said[-1] == "stopped after 27 evaluations: all 27 networks of chain have been seen"


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_impossible_budget_is_an_error_at_once(name):
    budget = Budget("ms", 1.0, lambda population: 2.0 + population.sum(axis=1))
    with pytest.raises(InfeasibleBudget, match="the closest is 00000000 with 2 ms"):
        make_strategy(name, Problem(MACRO, Rugged(), budgets=(budget,))).suggest()


@pytest.mark.parametrize("name", [n for n, entry in STRATEGIES.items() if entry.evaluations == "few" and n != "random"])
def test_all_find_more_than_chance(name):
    """Mean of the best over two seeds; those without a predictor, or that seldom fit it, need more networks."""
    queries = 100 if name in {"evolution", "local", "gcn-fit"} else 50
    best = {n: [_best(n, seed, queries) for seed in range(2)] for n in (name, "random")}
    assert np.mean(best[name]) > np.mean(best["random"]) + 0.001


def _best(name, seed, queries):
    problem = Problem(MACRO, Rugged())
    return float(search(problem, make_strategy(name, problem, seed=seed), queries).accuracy[:queries].max())


@pytest.mark.parametrize("name", ["prednas", "gp-ucb"])
@pytest.mark.filterwarnings("ignore::hwnas.accuracy.predictors.ConstantLabelsWarning")
def test_equal_accuracies_stop_nobody(name):
    class Flat(AccuracyEstimator):
        def estimate(self, population):
            return AccuracyEstimate(np.full(len(population), 0.5), np.zeros(len(population)))

    problem = Problem(MACRO, Flat())
    assert len(search(problem, make_strategy(name, problem), 20)) == 20


def test_unknown_names_are_answered_with_all_there_are():
    with pytest.raises(HwnasError, match="unknown strategy 'grid'; there are nsga2, exact, bocs, prednas, weaknas"):
        make_strategy("grid", Problem(MACRO, Rugged()))


def test_options_are_the_strategys_own():
    assert len(make_strategy("random", Problem(MACRO, Rugged()), batch=7).suggest()) == 7


@pytest.mark.parametrize("name", STRATEGIES)
def test_known_networks_outside_the_budgets_teach_but_are_not_built_upon(name):
    """The best of all that is known keeps no budget; no suggestion follows it there."""
    budget = Budget("layers", 4, lambda population: (population > 0).sum(axis=1).astype(float))
    problem = Problem(MACRO, Rugged(), budgets=(budget,))
    strategy = make_strategy(name, problem)
    known = problem.evaluate(np.unique(MACRO.sample(np.random.default_rng(0), 60), axis=0))
    strategy.observe(known)
    found = search(problem, strategy, 12)
    assert (budget.cost(found.population) <= 4).all()
    assert not {tuple(a) for a in found.population} & {tuple(a) for a in known.population}
