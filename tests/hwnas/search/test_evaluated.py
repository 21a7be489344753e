import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search import Budget, Evaluated, Problem
from latency_tables import Calibration


def evaluated(*points, margin=1.1):
    """(accuracy, ms) pairs as evaluations whose genotype is their index."""
    accuracy, ms = np.array(points, dtype=float).reshape(-1, 2).T
    return Evaluated(np.arange(len(ms))[:, None], accuracy, np.full(len(ms), 0.01), ms, margin * ms)


def test_front_by_hand():
    points = evaluated(
        (0.70, 2.0),
        (0.60, 1.0),
        (0.70, 1.5),  # beats 0
        (0.60, 1.2),  # as accurate as 1, slower
        (0.90, 4.0),
        (0.85, 4.0),  # as slow as 4, less accurate
        (0.90, 4.0),  # 4 again: named once
        (0.50, 0.9),
        (0.80, 5.0),  # beaten by 4
    )
    assert points.front().population.ravel().tolist() == [7, 1, 2, 4]
    assert points.front().upper_ms.tolist() == [1.1 * 0.9, 1.1 * 1.0, 1.1 * 1.5, 1.1 * 4.0]


def test_fronts_of_little():
    assert len(evaluated().front()) == 0
    assert len(evaluated((0.5, 1.0)).front()) == 1
    assert evaluated((0.5, 1.0), (0.5, 1.0)).front().population.tolist() == [[0]]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=1, max_size=30))
def test_front_is_what_nothing_dominates(points):
    front = evaluated(*points).front()
    best = {(a, m) for a, m in points if not any((b >= a and n <= m) and (b, n) != (a, m) for b, n in points)}
    assert sorted(zip(front.accuracy, front.ms, strict=True)) == sorted(best)
    assert (np.diff(front.ms) > 0).all()
    assert (np.diff(front.accuracy) > 0).all()


def test_inside_looks_at_the_upper_bound(chain, additive):
    points = evaluated((0.5, 1.0), (0.6, 2.0), (0.7, 3.0), margin=1.25)

    def within(budget_ms):
        budget = Budget("ms", budget_ms, lambda population: points.upper_ms[population[:, 0]])
        return Problem(chain(genes=1), additive(chain(genes=1)), budgets=(budget,)).inside(points)

    assert within(2.5).population.ravel().tolist() == [0, 1]  # 2.5 itself is inside
    assert within(2.49).population.ravel().tolist() == [0]
    assert len(within(1.0)) == 0


def test_picking_keeps_everything_together():
    points = evaluated((0.5, 1.0), (0.6, 2.0), (0.7, 3.0))
    picked = points[np.array([2, 0])]
    assert picked.population.tolist() == [[2], [0]]
    assert (picked.accuracy.tolist(), picked.ms.tolist()) == ([0.7, 0.5], [3.0, 1.0])
    assert len(picked.std) == len(picked.upper_ms) == 2


def test_problems_ask_estimator_and_table(chain, additive, latency):
    space = chain(genes=3, values=2)
    model, accuracy = latency(space), additive(space)
    calibration = Calibration(("sum_ms", "constant"), (2.0, 0.5), 0.1)
    problem = Problem(space, accuracy, type(model)(model.table, space, calibration))
    arch = np.array([1, 0, 1])
    got = problem.evaluate(arch[None])
    us = sum(model.table[space.slots[slot].choices[c][0]].median_us for slot, c in enumerate(arch))
    assert np.allclose(got.ms, 2 * us / 1e3 + 0.5)
    assert np.allclose(got.upper_ms, 1.1 * (2 * us / 1e3 + 0.5))
    assert np.allclose(got.accuracy, sum(accuracy.worth[slot][c] for slot, c in enumerate(arch)))


def test_the_best_is_the_most_accurate_one_inside_the_budgets(chain, additive):
    points = evaluated((0.5, 1.0), (0.9, 2.0), (0.7, 3.0), (0.7, 4.0))  # genotypes 0 to 3
    space = chain(genes=1)
    even = Budget("odd", 0.5, lambda population: population[:, 0] % 2)
    assert Problem(space, additive(space)).best(points).population.tolist() == [[1]]
    assert Problem(space, additive(space), budgets=(even,)).best(points).population.tolist() == [[2]]
    nothing = Budget("index", 1, lambda population: population[:, 0] + 2.0)
    assert len(Problem(space, additive(space), budgets=(nothing,)).best(points)) == 0
