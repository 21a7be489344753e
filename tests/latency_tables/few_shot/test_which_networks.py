import numpy as np
import pytest

from latency_tables.few_shot.prior import design, op_prior
from latency_tables.few_shot.which_networks import networks_to_time


def test_the_network_that_has_what_all_others_need_comes_first():
    # op 0 is in nearly all networks, op 1 in a single one
    features = np.array([[3.0, 0.0], [0.0, 0.0], [3.0, 0.0], [3.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    prior = op_prior(features, np.ones((1, 2)), [np.arange(2)])
    chosen = networks_to_time(features, 6, prior)
    assert features[chosen[0]].tolist() == [3, 0]
    assert sorted(chosen.tolist()) == list(range(6))


def test_chosen_networks_leave_less_open_than_random_ones():
    rng = np.random.default_rng(0)
    ops = 12
    # ops of very different frequency
    features = rng.binomial(3, np.linspace(0.02, 0.9, ops), (300, ops)).astype(float)
    prior = op_prior(features, np.ones((1, ops)), [np.arange(ops)])
    chosen = networks_to_time(features, 8, prior)
    assert np.array_equal(chosen[:3], networks_to_time(features, 3, prior))

    parts = design(features) @ np.hstack([np.sqrt(e.variance) * e.root for e in prior.effects])

    def left_open(rows):
        precision = np.eye(parts.shape[1]) + parts[rows].T @ parts[rows] / 5e-4
        return ((parts @ np.linalg.inv(precision)) * parts).sum(axis=1).mean()

    random = [left_open(rng.choice(len(features), 8, replace=False)) for _ in range(20)]
    assert left_open(chosen) < min(random)


@pytest.mark.parametrize("k", [0, -1, 4])
def test_as_many_as_there_are(k):
    features = np.eye(3)
    with pytest.raises(ValueError, match=f"cannot choose {k} of 3"):
        networks_to_time(features, k, op_prior(features, np.ones((1, 3))))
