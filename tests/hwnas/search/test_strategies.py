from functools import partial

import numpy as np
import pytest
from pymoo.indicators.hv import HV

from hwnas.search import Budget, NSGA2Strategy, Problem, RandomStrategy, search
from hwnas.search.contract import check_strategy
from hwnas.spaces import mbconv_space


def volume(front):
    """Hypervolume: accuracy up to 1, milliseconds up to 3."""
    return float(HV(ref_point=np.array([0.0, 3.0]))(np.column_stack([-front.accuracy, front.ms])))


@pytest.mark.parametrize("space", ["mbconv-32", "chain", "tiny chain"])
def test_strategies_that_ship_keep_the_contract(space, chain):
    space = {"mbconv-32": mbconv_space("mbconv-32"), "chain": chain(), "tiny chain": chain(2, 3)}[space]
    check_strategy(partial(NSGA2Strategy, population=20), space, rounds=8)
    check_strategy(partial(RandomStrategy, batch=20), space)


@pytest.mark.parametrize("seed", range(4))
def test_nsga2_finds_the_true_front(chain, additive, latency, enumerated, seed):
    space = chain(genes=6, values=4)
    problem = Problem(space, additive(space, seed), latency(space, seed))
    truth = problem.evaluate(enumerated(space)).front()
    assert len(truth) > 10
    found = search(problem, NSGA2Strategy(problem, population=40), 1200)
    assert len(found) < 0.25 * space.size  # it has not simply looked at everything
    true, front = {tuple(a) for a in truth.population}, {tuple(a) for a in found.front().population}
    assert len(front & true) >= 0.9 * len(true)
    assert volume(found.front()) >= 0.999 * volume(truth)
    by_chance = search(problem, RandomStrategy(problem, batch=40), 1200).front()
    assert len(true & {tuple(a) for a in by_chance.population}) < 0.7 * len(true)


def test_nsga2_beats_random_with_as_many_evaluations(additive, latency):
    space = mbconv_space("mbconv-32")
    problem = Problem(space, additive(space), latency(space))
    reference = np.array([0.0, 10.0])
    for seed in range(3):
        volumes = []
        for strategy in (
            NSGA2Strategy(problem, seed=seed, population=40),
            RandomStrategy(problem, seed=seed, batch=40),
        ):
            front = search(problem, strategy, 800).front()
            volumes.append(HV(ref_point=reference)(np.column_stack([-front.accuracy, front.ms])))
        assert volumes[0] > 1.05 * volumes[1]


@pytest.mark.parametrize("strategy", [NSGA2Strategy, RandomStrategy])
def test_same_seed_same_answer(strategy, chain, additive, latency):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    a, b, c = (search(problem, strategy(problem, seed=seed), 400) for seed in (5, 5, 6))
    assert np.array_equal(a.population, b.population)
    assert not np.array_equal(a.population, c.population)


def test_a_space_smaller_than_the_population_is_searched_to_the_end(chain, additive, latency, enumerated):
    space = chain(genes=2, values=3)
    problem = Problem(space, additive(space), latency(space))
    found = search(problem, NSGA2Strategy(problem, population=50), 300)
    assert sorted(map(tuple, found.population)) == sorted(map(tuple, enumerated(space)))


def test_warm_starts_join_the_first_generation(chain, additive):
    space = chain()
    problem = Problem(space, additive(space))
    warm = np.array([[3, 3, 3, 3, 3, 3], [0, 1, 2, 3, 0, 1]])
    first = NSGA2Strategy(problem, population=20, warm_start=warm).suggest()
    assert len(first) == 20
    assert {tuple(a) for a in warm} <= {tuple(a) for a in first}
    cold = NSGA2Strategy(problem, population=20).suggest()
    assert not {tuple(a) for a in warm} <= {tuple(a) for a in cold}
    many = space.sample(np.random.default_rng(1), 50)
    assert len(NSGA2Strategy(problem, population=20, warm_start=many).suggest()) <= 20


def test_a_warm_start_at_the_optimum_is_kept(chain, additive, latency, enumerated):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    truth = problem.evaluate(enumerated(space)).front()
    found = search(problem, NSGA2Strategy(problem, population=40, warm_start=truth.population[:10]), 40)
    assert {tuple(a) for a in truth.population[:10]} <= {tuple(a) for a in found.front().population}


def test_random_covers_the_space(chain, additive):
    space = chain(genes=2, values=4)
    assert len(np.unique(RandomStrategy(Problem(space, additive(space)), batch=400).suggest(), axis=0)) == 16


class _Unlucky(RandomStrategy):
    """Draws from a generator that everybody shares."""

    shared = np.random.default_rng(0)

    def __init__(self, problem, **options):
        super().__init__(problem, batch=10, **options)
        self.memory.rng = self.shared


class _Outside(RandomStrategy):
    def suggest(self):
        return super().suggest() + 1


class _Silent(RandomStrategy):
    def suggest(self):
        return super().suggest()[:0]


class _Stubborn(RandomStrategy):
    def __init__(self, problem, *, seed=0, warm_start=None):
        super().__init__(problem, seed=0, warm_start=warm_start)


class _Deaf(RandomStrategy):
    """Forgets what it observes."""

    def update(self, evaluated):
        super().observe(evaluated)

    def observe(self, evaluated):
        pass


class _Scribbler(RandomStrategy):
    def observe(self, evaluated):
        evaluated.population[:] = 0


class _Headlong(RandomStrategy):
    """Takes no notice of a warm start."""

    def __init__(self, problem, *, seed=0, warm_start=None):
        super().__init__(problem, seed=seed)


class _Spendthrift(RandomStrategy):
    """Takes no notice of budgets."""

    def __init__(self, problem, **options):
        super().__init__(Problem(problem.space, problem.accuracy), **options)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Unlucky, "suggests other networks"),
        (_Outside, "every gene in 0..cardinality - 1"),
        (_Silent, "at least one genotype"),
        (_Stubborn, "another seed"),
        (partial(_Deaf, batch=2000), "what was observed must not be suggested"),
        (_Scribbler, "observe must not change the genotypes"),
        (_Headlong, "a warm start inside the budgets must be suggested first"),
        (_Spendthrift, "suggest must keep every budget"),
    ],
)
def test_broken_strategies_are_rejected(broken, message, chain):
    space = chain()
    few = Budget("sum", 9, lambda population: population.sum(axis=1))
    with pytest.raises(AssertionError, match=message):
        check_strategy(broken, space, budgets=[few] if broken is _Spendthrift else [])


def test_what_nsga2_observes_first_takes_the_place_of_random_networks(chain, additive, latency):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    known = problem.evaluate(np.unique(space.sample(np.random.default_rng(1), 30), axis=0))
    strategy = NSGA2Strategy(problem, population=40)
    strategy.observe(known)
    first = strategy.suggest()
    assert len(first) == 40 - len(known)
    strategy.update(problem.evaluate(first))
    everyone = {tuple(a) for a in np.concatenate([known.population, first])}
    assert {tuple(a) for a in strategy._algorithm.pop.get("X").astype(int)} == everyone


def test_what_nsga2_observes_later_competes_with_its_population(chain, additive, latency, enumerated):
    """Given the true front between two generations, it survives, and none of it is asked about."""
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    truth = problem.evaluate(enumerated(space)).front()
    strategy = NSGA2Strategy(problem, population=40)
    strategy.update(problem.evaluate(strategy.suggest()))
    strategy.observe(truth)
    asked = []
    for _ in range(3):
        asked.append(strategy.suggest())
        strategy.update(problem.evaluate(asked[-1]))
    survivors = {tuple(a) for a in strategy._algorithm.pop.get("X").astype(int)}
    front = {tuple(a) for a in truth.population}
    assert len(front & survivors) >= 0.9 * min(40, len(front))
    assert not front & {tuple(a) for a in np.concatenate(asked)}


def test_nsga2_goes_on_from_a_finished_search(chain, additive, latency):
    """More was observed than its population holds: it asks about one network, then about offspring."""
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    finished = search(problem, NSGA2Strategy(problem, population=20), 200)
    strategy = NSGA2Strategy(problem, seed=1, population=20)
    strategy.observe(finished)
    more = search(problem, strategy, 41)
    assert not {tuple(a) for a in more.population} & {tuple(a) for a in finished.population}
    assert len(more) >= 21


def test_what_nsga2_observes_outside_the_budgets_does_not_join(chain, additive, latency):
    space = chain()
    few = Budget("sum", 6, lambda population: population.sum(axis=1))
    problem = Problem(space, additive(space), latency(space), (few,))
    strategy = NSGA2Strategy(problem, population=20)
    strategy.observe(problem.evaluate(np.full((1, 6), 3)))
    strategy.update(problem.evaluate(strategy.suggest()))
    assert strategy._algorithm.pop.get("X").sum(axis=1).max() <= 6
