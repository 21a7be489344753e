import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_tables.additive.factors import Factors
from latency_tables.additive.gather import LookUps, of_joint


def test_joint_values_by_hand():
    tables = {(): np.array(5.0), (1,): np.array([0.0, 10, 20]), (2, 0): np.array([[0.0, 1], [2, 3]])}
    cardinalities = (2, 3, 2)
    assert of_joint(cardinalities, tables, (0, 2)).tolist() == [5, 7, 6, 8]  # gene 2 changes first
    assert of_joint(cardinalities, tables, (1,)).tolist() == [5, 15, 25]
    assert of_joint(cardinalities, tables, (0,)).tolist() == [5, 5]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_every_column_is_the_sum_of_its_own_tables(cardinalities, columns, seed):
    rng = np.random.default_rng(seed)
    tables = [{(): rng.random()} | {(g,): rng.random(n) for g, n in enumerate(cardinalities)} for _ in range(columns)]
    if len(cardinalities) > 1:
        tables[-1][1, 0] = rng.random((cardinalities[1], cardinalities[0]))
    functions = [Factors(cardinalities, of_one) for of_one in tables]
    archs = rng.integers(0, cardinalities, (7, len(cardinalities)))
    found = functions[0].beside(*functions[1:])(archs)
    assert len(found) == columns
    for function, column in zip(functions, found, strict=True):
        wanted = sum(table[tuple(archs[:, list(genes)].T)] for genes, table in function.tables.items())
        assert column == pytest.approx(wanted)


def test_look_ups_are_as_few_as_stay_in_the_cache():
    small = {(gene,): np.ones(9) for gene in range(8)}
    assert len(LookUps((9,) * 8, [small])) == 2  # 9^4 = 6561 values in each, and 9^5 would be too many
    assert len(LookUps((300, 300), [{(0,): np.ones(300), (1,): np.ones(300)}])) == 2
    assert len(LookUps((100, 100), [{(0,): np.ones(100)}, {(1,): np.ones(100)}])) == 1
