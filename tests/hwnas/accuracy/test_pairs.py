"""How well a predictor ranks pairs that it has not seen: each of them once."""

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, Predictor
from hwnas.accuracy.pairs import Pairs, PredictorFit, cross_validated


class Memory(Predictor):
    """Knows the networks that it has learned from by heart, and says 1 of them; 0 of others."""

    def __init__(self):
        self.fits = []

    def fit(self, population, accuracy):
        assert len(population) == len(accuracy)
        self.fits.append(set(population[:, 0].tolist()))
        return self

    def estimate(self, population):
        seen = np.array([float(arch in self.fits[-1]) for arch in population[:, 0].tolist()])
        return AccuracyEstimate(seen, np.zeros(len(seen)))


class Oracle(Memory):
    def estimate(self, population):
        return AccuracyEstimate(population[:, 0] / 100, np.zeros(len(population)))


def pairs(count):
    return Pairs(np.arange(count)[:, None], np.arange(count) / 10)


@pytest.mark.parametrize("count", [10, 13])
def test_no_pair_is_predicted_by_who_has_seen_it_and_each_is_once(count):
    memory = Memory()
    fit = cross_validated(memory, pairs(count))
    assert fit.predicted == (0.0,) * count
    assert fit.true == tuple(np.arange(count) / 10)
    assert [len(seen) for seen in memory.fits] == [count - (count - i + 4) // 5 for i in range(5)]
    assert all(sum(arch not in seen for seen in memory.fits) == 1 for arch in range(count))


def test_predictions_stand_beside_their_pairs():
    fit = cross_validated(Oracle(), pairs(12))
    assert fit.predicted == pytest.approx(np.arange(12) / 100)
    assert fit.tau == pytest.approx(1)


def test_fifths_are_those_of_the_seed():
    first, same, other = Memory(), Memory(), Memory()
    for memory, seed in ((first, 1), (same, 1), (other, 2)):
        cross_validated(memory, pairs(20), seed)
    assert first.fits == same.fits != other.fits


def test_fewer_than_five_pairs_are_left_out_one_by_one():
    assert cross_validated(Oracle(), pairs(3)).predicted == pytest.approx((0, 0.01, 0.02))


def test_tau_by_hand():
    """Of three pairs two are in order."""
    assert PredictorFit((1.0, 2.0, 3.0), (0.1, 0.3, 0.2)).tau == pytest.approx(1 / 3)
    assert np.isnan(PredictorFit((1.0, 1.0), (0.1, 0.3)).tau)
