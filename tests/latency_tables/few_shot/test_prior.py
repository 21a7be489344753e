import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_tables import TableError
from latency_tables.few_shot.prior import design, op_prior

# three networks of three ops; all of them use the last op twice
SAMPLE = np.array([[1.0, 0.0, 2.0], [0.0, 2.0, 2.0], [2.0, 1.0, 2.0]])
COSTS = np.array([[5.0, 1.0, 0.0], [0.0, 0.0, 3.0]])


def typical(sample, constant=True):
    return np.append(sample.mean(axis=0), float(constant))


def effect(prior, name):
    return next(e for e in prior.effects if e.name == name)


def test_a_table_by_hand():
    assert (design(SAMPLE) @ [1.0, 2.0, 0.5, 3.0]).tolist() == [5.0, 8.0, 8.0]


def test_the_mean_by_hand():
    # mean network: 1, 1, 2 ops and a constant; the tables predict 4 and 10 ms for it
    tables = [np.array([1.0, 1.0, 0.5, 1.0]), np.array([4.0, 0.0, 3.0, 0.0])]
    prior = op_prior(SAMPLE, COSTS, tables=tables)
    assert prior.mean == pytest.approx([0.5 * (0.25 + 0.4), 0.125, 0.5 * (0.125 + 0.3), 0.125])
    assert effect(prior, "mixture").root.shape == (4, 2)
    assert effect(prior, "mixture").root.sum(axis=1) == pytest.approx(np.zeros(4))


def test_without_tables_costs_are_the_mean():
    # the costs are 6 and 6 for the mean network, and the third "cost" is paid by every network alike (op 3, constant)
    prior = op_prior(SAMPLE, COSTS)
    assert prior.mean == pytest.approx([5 / 6 / 3, 1 / 6 / 3, (3 / 6 + 1 / 3) / 3, 1 / 3 / 3])
    assert [e.name for e in prior.effects] == ["scale", "cost 0", "cost 1", "cost 2", "own", "fixed"]


@settings(deadline=None)
@given(st.integers(0, 100), st.booleans(), st.floats(1e-3, 1e3))
def test_units_do_not_matter_and_the_mean_network_takes_one(seed, constant, factor):
    rng = np.random.default_rng(seed)
    sample, costs = rng.integers(0, 4, (30, 6)).astype(float), rng.random((2, 6))
    values = [rng.random(6) + 0.1 for _ in range(3)]
    tables = [np.append(v, constant * 0.3) for v in values]
    prior = op_prior(sample, costs, [np.arange(6) // 2], tables, constant)
    scaled = [factor * t for t in tables]
    other = op_prior(sample, costs * factor, [np.arange(6) // 2], scaled, constant)
    assert typical(sample, constant) @ prior.mean == pytest.approx(1)
    assert other.mean == pytest.approx(prior.mean)
    for mine, theirs in zip(prior.effects, other.effects, strict=True):
        assert theirs.root == pytest.approx(mine.root, abs=1e-9)


def test_ops_with_one_label_depart_together():
    prior = op_prior(SAMPLE, COSTS, [np.array([7, 7, 7])])
    root = effect(prior, "group 0").root
    # the third op is in every network, so it is no group's
    assert root.shape == (4, 1)
    assert (root[:2, 0] > 0).all()
    assert root[2:, 0].tolist() == [0, 0]


def test_what_all_networks_share_is_fixed():
    assert effect(op_prior(SAMPLE, COSTS), "fixed").root.shape == (4, 2)
    assert effect(op_prior(SAMPLE, COSTS, constant=False), "fixed").root.shape == (4, 1)
    varied = op_prior(SAMPLE[:, :2], COSTS[:, :2], constant=False)
    assert "fixed" not in [e.name for e in varied.effects]


def test_without_a_constant_nothing_gives_it_time():
    prior = op_prior(SAMPLE, COSTS, [np.arange(3)], constant=False)
    assert prior.mean[-1] == 0
    assert all((e.root[-1] == 0).all() for e in prior.effects)


@pytest.mark.parametrize("op_ms", [[0.0, 0.0, 0.0], [-1.0, -1.0, 0.0], [1.0, np.nan, 1.0], [1.0, np.inf, 1.0]])
def test_a_table_that_predicts_no_time(op_ms):
    tables = [np.array([1.0, 1.0, 1.0, 0.0]), np.array([*op_ms, 0.0])]
    with pytest.raises(TableError, match="prior table 2 predicts no time"):
        op_prior(SAMPLE, COSTS, tables=tables)


def test_no_costs_at_all():
    prior = op_prior(SAMPLE, np.empty((0, 3)))
    assert prior.mean[0] == prior.mean[1] > 0
