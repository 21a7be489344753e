"""Networks that deserve a closer look: by cluster, spread over all, and the best of each budget."""

import numpy as np

from hwnas.search.closer_look import best_per_budget, clustered, spread_over
from hwnas.spaces import NasBenchMacro
from hwnas.spaces.genotypes import every_network

SPACE = NasBenchMacro()


def near(*texts):
    return np.array([SPACE.from_text(text) for text in texts])


def test_the_best_of_each_group_of_alike_networks():
    """Two groups, of the smallest and of the largest network; the best of each is 3 and 4, and 4 is better."""
    population = near("00000000", "10000000", "01000000", "00100000", "22222222", "22222221", "22222212")
    worth = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7])
    assert clustered(SPACE, population, worth, 2, top=1.0).tolist() == [4, 3]
    assert clustered(SPACE, population, worth, 1, top=1.0).tolist() == [4]


def test_only_the_most_promising_are_divided():
    every = every_network(SPACE)
    worth = np.random.default_rng(0).random(len(every))
    chosen = clustered(SPACE, every, worth, 8)
    assert len(set(chosen.tolist())) == 8
    assert worth[chosen].min() >= np.sort(worth)[-round(0.1 * len(every))]
    assert worth[chosen].tolist() == sorted(worth[chosen], reverse=True)
    assert chosen[0] == worth.argmax()


def test_fewer_where_there_are_not_so_many():
    twins = near("00000000", "00000000", "22222222")
    assert clustered(SPACE, twins, np.array([0.3, 0.2, 0.1]), 5).tolist() == [0, 2]
    assert clustered(SPACE, twins[:0], np.zeros(0), 5).tolist() == []


def test_the_same_every_time():
    every = every_network(SPACE)[::7]
    worth = np.random.default_rng(1).random(len(every))
    assert clustered(SPACE, every, worth, 9).tolist() == clustered(SPACE, every, worth, 9).tolist()


def test_one_of_each_part_of_the_range():
    worth = np.array([0.9, 0.1, 0.5, 0.6, 0.2, 0.8])
    chosen = spread_over(worth, 3, np.random.default_rng(0))
    assert [set(pair) >= {i} for pair, i in zip([(1, 4), (2, 3), (5, 0)], chosen, strict=True)] == [True] * 3
    assert sorted(spread_over(worth, 6, np.random.default_rng(0))) == [0, 1, 2, 3, 4, 5]
    assert len(spread_over(worth, 9, np.random.default_rng(0))) == 6
    drawn = {tuple(spread_over(worth, 3, np.random.default_rng(seed))) for seed in range(40)}
    assert len(drawn) == 8  # every member of a part may be the one


def test_the_best_of_each_budget_that_is_new():
    """Budgets are the quantiles 1/2 and 1 of 1, 2, 3, 4: 2.5 and 4. Inside 2.5 is 1 the best, then 2 is of all."""
    worth, cost = np.array([0.1, 0.3, 0.9, 0.2]), np.array([1.0, 2.0, 3.0, 4.0])
    assert best_per_budget(worth, cost, 2, np.array([], dtype=int)).tolist() == [1, 2]
    assert best_per_budget(worth, cost, 2, np.array([1, 2])).tolist() == [0, 3]
    assert best_per_budget(worth, cost, 2, np.array([0, 1, 3])).tolist() == [2]
