"""The contract every `SearchStrategy` keeps; run it on your own: `check_strategy(MyStrategy, space)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hwnas.search.budget import Budget, feasible
from hwnas.search.problem import Evaluated, SearchStrategy, SpaceExhausted
from hwnas.spaces import Population, SearchSpace


def check_strategy(
    make: Callable[[int], SearchStrategy],
    space: SearchSpace,
    rounds: int = 4,
    seed: int = 0,
    budgets: Sequence[Budget] = (),
) -> None:
    """Raise AssertionError unless the strategies that `make(seed)` gives keep the contract on `space`, and `budgets`.

    Two of one seed take turns, so that one which draws from a generator that is not its own is found out. One that
    suggests every network once may stop with `SpaceExhausted`.
    """
    rng = np.random.default_rng(seed)
    width = space.encode(space.sample(rng, 1)).shape[1]
    weights = rng.random((2, width))
    first, second = make(seed), make(seed)
    for round_ in range(rounds):
        try:
            mine = _suggestion(space, first, budgets)
        except SpaceExhausted:
            assert round_ > 0, "the first suggestion must not find the space exhausted"
            break
        twin = _suggestion(space, second, budgets)
        assert np.array_equal(mine, twin), f"same seed and same answers, but round {round_ + 1} suggests other networks"
        before = mine.copy()
        first.update(_evaluated(space, mine, weights))
        assert np.array_equal(mine, before), "update must not change the genotypes it is given"
        second.update(_evaluated(space, twin, weights))
    if space.size > 100:
        other = _suggestion(space, make(seed + 1), budgets)
        same = np.array_equal(other, _suggestion(space, make(seed), budgets))
        assert not same, "another seed must suggest other networks"


def _suggestion(space: SearchSpace, strategy: SearchStrategy, budgets: Sequence[Budget]) -> Population:
    population = strategy.suggest()
    assert population is not None, "suggest must always suggest something"
    assert population.ndim == 2, "suggest must give genotypes [n, genes]"
    assert len(population) >= 1, "suggest must give at least one genotype"
    assert population.dtype.kind == "i", f"suggest must give signed integers, got {population.dtype}"
    genes = len(space.cardinalities)
    assert population.shape[1] == genes, f"suggest must give {genes} genes, got {population.shape[1]}"
    inside = (population >= 0).all() and (population < np.array(space.cardinalities)).all()
    assert inside, "suggest must keep every gene in 0..cardinality - 1"
    assert np.array_equal(space.canonical(population), population), "suggest must give canonical genotypes"
    assert feasible(budgets, population).all(), "suggest must keep every budget"
    return population


def _evaluated(space: SearchSpace, population: Population, weights: np.ndarray) -> Evaluated:
    """Made-up answers in the usual ranges: accuracy and latency additive in the encoding."""
    features = space.encode(population)
    accuracy, cost = weights / weights.sum(axis=1, keepdims=True) @ features.T
    ms = 1.0 + cost
    return Evaluated(population, accuracy, np.full(len(ms), 0.01), ms, 1.05 * ms)
