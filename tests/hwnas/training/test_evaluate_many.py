"""Scores that share prefixes are those of one network after the other; what is shared is computed once."""

import numpy as np
import pytest
from torch import nn

from hwnas.spaces import NasBenchMacro, every_network
from hwnas.training import NetworkScore, Supernet, accuracy, recalibrate, score_each, true_class_probability


def one_by_one(supernet, archs, calibration, validation):
    for arch in archs:
        network = supernet.extract(arch)
        recalibrate(network, calibration)
        yield NetworkScore(accuracy(network, validation), true_class_probability(network, validation))


@pytest.fixture
def images(batches, data):
    return list(batches.plain(data.train, size=16, limit=40)), list(batches.plain(data.validation, size=16))


def test_equal_to_one_by_one(space, images):
    supernet = Supernet(space, seed=1)
    archs = space.sample(np.random.default_rng(0), 10)
    archs = np.concatenate([archs, archs[:2]])  # some twice
    found = dict(score_each(supernet, archs, *images))
    assert [found[i] for i in range(len(archs))] == list(one_by_one(supernet, archs, *images))
    assert len({score.true_class_probability for score in found.values()}) > 6


def test_where_memory_is_short_nothing_is_shared(space, images):
    supernet, archs = Supernet(space, seed=1), space.sample(np.random.default_rng(0), 3)
    alone = list(score_each(supernet, archs, *images, memory_mb=0.0))
    assert [i for i, _ in alone] == [0, 1, 2]
    assert dict(alone) == dict(score_each(supernet, archs, *images))


def test_every_prefix_is_computed_once(images, monkeypatch):
    space = NasBenchMacro(num_classes=3, size=16, width_share=0.125)
    supernet, archs = Supernet(space), every_network(space)[::243]  # the first three layers differ
    runs = []
    monkeypatch.setattr(
        nn.Conv2d, "forward", lambda conv, x, forward=nn.Conv2d.forward: runs.append(0) or forward(conv, x)
    )
    calibration, validation = (split[:1] for split in images)
    shared = dict(score_each(supernet, archs, calibration, validation))
    together, runs[:] = len(runs), []
    alone = list(one_by_one(supernet, archs, calibration, validation))
    assert [shared[i] for i in range(len(archs))] == alone
    assert together < len(runs) / 2
