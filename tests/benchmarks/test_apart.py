"""Which of the best networks are worth a dearer look."""

import numpy as np

from benchmarks._apart import apart


def test_the_first_ones_that_differ_enough():
    population = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0], [1, 1, 1, 0], [2, 2, 2, 2]])
    assert apart(population, 3, 2).tolist() == [0, 2, 4]
    assert apart(population, 2, 2).tolist() == [0, 2]
    assert apart(population, 9, 1).tolist() == [0, 1, 2, 3, 4]


def test_fewer_when_there_are_not_so_many():
    assert apart(np.array([[0, 0], [0, 1]]), 5, 2).tolist() == [0]
    assert apart(np.zeros((0, 2), dtype=np.int64), 5, 2).tolist() == []
