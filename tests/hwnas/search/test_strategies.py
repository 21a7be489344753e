import numpy as np
import pytest
from pymoo.indicators.hv import HV

from hwnas.search import NSGA2Strategy, Problem, RandomStrategy, search
from hwnas.search.contract import check_strategy
from hwnas.spaces import mbconv_space


def volume(front):
    """Hypervolume: accuracy up to 1, milliseconds up to 3."""
    return float(HV(ref_point=np.array([0.0, 3.0]))(np.column_stack([-front.accuracy, front.ms])))


@pytest.mark.parametrize("space", ["mbconv-32", "chain", "tiny chain"])
def test_strategies_that_ship_keep_the_contract(space, chain):
    space = {"mbconv-32": mbconv_space("mbconv-32"), "chain": chain(), "tiny chain": chain(2, 3)}[space]
    check_strategy(lambda seed: NSGA2Strategy(space, seed, population=20), space, rounds=8)
    check_strategy(lambda seed: RandomStrategy(space, seed, batch=20), space)


@pytest.mark.parametrize("seed", range(4))
def test_nsga2_finds_the_true_front(chain, additive, latency, enumerated, seed):
    space = chain(genes=6, values=4)
    problem = Problem(space, additive(space, seed), latency(space, seed))
    truth = problem.evaluate(enumerated(space)).front()
    assert len(truth) > 10
    found = search(problem, NSGA2Strategy(space, 0, population=40), 1200)
    assert len(found) < 0.25 * space.size  # it has not simply looked at everything
    true, front = {tuple(a) for a in truth.population}, {tuple(a) for a in found.front().population}
    assert len(front & true) >= 0.9 * len(true)
    assert volume(found.front()) >= 0.999 * volume(truth)
    by_chance = search(problem, RandomStrategy(space, 0, batch=40), 1200).front()
    assert len(true & {tuple(a) for a in by_chance.population}) < 0.7 * len(true)


def test_nsga2_beats_random_with_as_many_evaluations(additive, latency):
    space = mbconv_space("mbconv-32")
    problem = Problem(space, additive(space), latency(space))
    reference = np.array([0.0, 10.0])
    for seed in range(3):
        volumes = []
        for strategy in (NSGA2Strategy(space, seed, population=40), RandomStrategy(space, seed, batch=40)):
            front = search(problem, strategy, 800).front()
            volumes.append(HV(ref_point=reference)(np.column_stack([-front.accuracy, front.ms])))
        assert volumes[0] > 1.05 * volumes[1]


@pytest.mark.parametrize("strategy", [NSGA2Strategy, RandomStrategy])
def test_same_seed_same_answer(strategy, chain, additive, latency):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    a, b, c = (search(problem, strategy(space, seed), 400) for seed in (5, 5, 6))
    assert np.array_equal(a.population, b.population)
    assert not np.array_equal(a.population, c.population)


def test_a_space_smaller_than_the_population_is_searched_to_the_end(chain, additive, latency, enumerated):
    space = chain(genes=2, values=3)
    problem = Problem(space, additive(space), latency(space))
    found = search(problem, NSGA2Strategy(space, 0, population=50), 300)
    assert sorted(map(tuple, found.population)) == sorted(map(tuple, enumerated(space)))


def test_warm_starts_join_the_first_generation(chain):
    space = chain()
    warm = np.array([[3, 3, 3, 3, 3, 3], [0, 1, 2, 3, 0, 1]])
    first = NSGA2Strategy(space, 0, population=20, warm_start=warm).suggest()
    assert len(first) == 20
    assert {tuple(a) for a in warm} <= {tuple(a) for a in first}
    cold = NSGA2Strategy(space, 0, population=20).suggest()
    assert not {tuple(a) for a in warm} <= {tuple(a) for a in cold}
    many = space.sample(np.random.default_rng(1), 50)
    assert len(NSGA2Strategy(space, 0, population=20, warm_start=many).suggest()) <= 20


def test_a_warm_start_at_the_optimum_is_kept(chain, additive, latency, enumerated):
    space = chain()
    problem = Problem(space, additive(space), latency(space))
    truth = problem.evaluate(enumerated(space)).front()
    found = search(problem, NSGA2Strategy(space, 0, population=40, warm_start=truth.population[:10]), 40)
    assert {tuple(a) for a in truth.population[:10]} <= {tuple(a) for a in found.front().population}


def test_random_covers_the_space(chain):
    space = chain(genes=2, values=4)
    assert len(np.unique(RandomStrategy(space, 0, batch=400).suggest(), axis=0)) == 16


class _Unlucky(RandomStrategy):
    """Draws from a generator that everybody shares."""

    shared = np.random.default_rng(0)

    def __init__(self, space, seed):
        super().__init__(space, seed, batch=10)
        self.memory.rng = self.shared


class _Outside(RandomStrategy):
    def suggest(self):
        return super().suggest() + 1


class _Silent(RandomStrategy):
    def suggest(self):
        return super().suggest()[:0]


class _Stubborn(RandomStrategy):
    def __init__(self, space, seed):
        super().__init__(space, 0)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_Unlucky, "suggests other networks"),
        (_Outside, "every gene in 0..cardinality - 1"),
        (_Silent, "at least one genotype"),
        (_Stubborn, "another seed"),
    ],
)
def test_broken_strategies_are_rejected(broken, message, chain):
    space = chain()
    with pytest.raises(AssertionError, match=message):
        check_strategy(lambda seed: broken(space, seed), space)
