"""Networks that deserve a closer look: by cluster, after a few trainings, spread over all, the best of each budget."""

import numpy as np
import pytest

from hwnas.search.closer_look import best_per_budget, clustered, corrected, spread_over
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


def test_what_training_tells_counts_for_networks_alike():
    """Two groups that look equal: the trained one of the first is good, that of the second is not."""
    population = near("00000000", "10000000", "01000000", "22222222", "22222221", "22222212")
    said, known = np.array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]), np.array([0, 3])
    hopes = corrected(SPACE, population, said, known, np.array([0.9, 0.8]))
    assert hopes[:3].min() > 0 > hopes[3:].max()
    assert hopes[0] > hopes[1] == pytest.approx(hopes[2])  # as near, and less sure than the trained one
    assert corrected(SPACE, population, said, known, np.array([0.8, 0.9]))[:3].max() < 0
    # Only the order of what trainings tell counts, whatever their scale.
    assert hopes == pytest.approx(corrected(SPACE, population, said, known, np.array([90.0, 80.0])))


def test_what_was_said_counts_where_training_tells_nothing():
    population, said = near("00000000", "11111111", "22222222"), np.array([0.1, 0.3, 0.2])
    for worth in (np.array([0.7]), np.array([0.7, 0.7])):
        known = np.arange(len(worth))
        hopes = corrected(SPACE, population, said, known, worth)
        assert hopes[2] < hopes[1]
    alone = corrected(SPACE, population, said, np.array([0]), np.array([0.7]))
    assert np.argsort(alone).tolist() == [0, 2, 1]
    assert corrected(SPACE, population[:1], said[:1], np.array([0]), np.array([0.7])).tolist() == [0]


def test_one_of_each_part_of_the_range():
    worth = np.array([0.9, 0.1, 0.5, 0.6, 0.2, 0.8])
    chosen = spread_over(worth, 3, np.random.default_rng(0))
    assert [set(pair) >= {i} for pair, i in zip([(1, 4), (2, 3), (5, 0)], chosen, strict=True)] == [True] * 3
    assert sorted(spread_over(worth, 6, np.random.default_rng(0))) == [0, 1, 2, 3, 4, 5]
    assert len(spread_over(worth, 9, np.random.default_rng(0))) == 6
    drawn = {tuple(spread_over(worth, 3, np.random.default_rng(seed))) for seed in range(40)}
    assert len(drawn) == 8  # every member of a part may be the one


def test_the_best_of_each_budget_once():
    """Budgets are the quantiles 1/2 and 1 of 1, 2, 3, 4: 2.5 and 4. Inside 2.5 is 1 the best, then 2 is of all."""
    worth, cost = np.array([0.1, 0.3, 0.9, 0.2]), np.array([1.0, 2.0, 3.0, 4.0])
    assert best_per_budget(worth, cost, 2).tolist() == [1, 2]
    assert best_per_budget(worth[::-1], cost, 2).tolist() == [1, 2]  # the best is inside both, and chosen once
    assert best_per_budget(worth[:1], cost[:1], 2).tolist() == [0]  # fewer networks than budgets
    assert best_per_budget(worth[:0], cost[:0], 2).tolist() == []
