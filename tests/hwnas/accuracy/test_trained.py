"""Networks that are really trained: each once, the same in every process, another recipe apart."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hwnas.accuracy import Recipe, TrainedAccuracy
from hwnas.accuracy.contract import check_estimator

RECIPE = Recipe(epochs=1)


@pytest.fixture
def archs(space):
    return space.sample(np.random.default_rng(0), 3)


def test_it_keeps_the_contract(space, batches, tmp_path):
    check_estimator(TrainedAccuracy(space, batches, RECIPE, tmp_path), space, samples=3)


def test_training_helps(space, batches, tmp_path, archs):
    short, long = (TrainedAccuracy(space, batches, Recipe(epochs=n), tmp_path) for n in (1, 8))
    assert long.estimate(archs).mean.mean() > short.estimate(archs).mean.mean() + 0.1


def test_each_network_is_trained_once(space, batches, tmp_path, archs, monkeypatch):
    from hwnas.accuracy import trained

    texts, train = [], trained.train_network
    monkeypatch.setattr(trained, "train_network", lambda *a: texts.append(a[1]) or train(*a))
    first = TrainedAccuracy(space, batches, RECIPE, tmp_path).estimate(archs[[0, 1, 0]]).mean
    again = TrainedAccuracy(space, batches, RECIPE, tmp_path).estimate(archs).mean
    assert texts == [space.to_text(a) for a in archs]
    assert first.tolist() == again[[0, 1, 0]].tolist()
    kept = [json.loads(p.read_text()) for p in tmp_path.glob("*/*.json")]
    assert {k["arch"]: k["validation_accuracy"] for k in kept} == dict(zip(texts, again, strict=True))


def test_another_recipe_or_seed_is_kept_apart(space, batches, tmp_path, archs):
    for recipe, seed in ((RECIPE, 0), (replace(RECIPE, learning_rate=0.1), 0), (RECIPE, 1)):
        TrainedAccuracy(space, batches, recipe, tmp_path, seed).estimate(archs[:1])
    assert len(list(tmp_path.iterdir())) == 3
    assert len(list(tmp_path.glob("*/*.json"))) == 3
