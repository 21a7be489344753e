"""Networks that are really trained: each once, the same in every process, another recipe apart."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

from hwnas.accuracy import TrainedAccuracy
from hwnas.accuracy.contract import check_estimator
from hwnas.training import Recipe
from hwnas.workers import InProcess, JobFailed, make_workers

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


@pytest.mark.slow
@pytest.mark.measures
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray: pip install 'hwnas[ray]'")
def test_workers_give_the_same_answers_and_files(space, batches, tmp_path):
    archs = space.sample(np.random.default_rng(1), 4)
    recipe = Recipe(epochs=4)  # long enough that networks differ
    here = TrainedAccuracy(space, batches, recipe, tmp_path / "here").estimate(archs).mean
    told = []
    with make_workers("local:2") as workers:
        elsewhere = TrainedAccuracy(
            space, batches, recipe, tmp_path / "there", progress=lambda *said: told.append(said), workers=workers
        )
        assert elsewhere.estimate(archs).mean.tolist() == here.tolist()
        assert elsewhere.estimate(archs[::-1]).mean.tolist() == here[::-1].tolist()
    assert len(set(here)) > 1
    assert [said[:2] for said in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert told[-1][2] == f"best so far {100 * here.max():.2f} %"
    kept = [
        {p.relative_to(tmp_path / w): p.read_text() for p in (tmp_path / w).rglob("*.json")} for w in ("here", "there")
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 4


def test_a_network_that_cannot_be_trained_is_named_and_those_before_are_kept(space, batches, tmp_path, archs):
    class Failing(InProcess):
        def run(self, work, jobs):
            return super().run(lambda text: work(text) if text != jobs[1] else 1 / 0, jobs)

    failing = TrainedAccuracy(space, batches, RECIPE, tmp_path, workers=Failing())
    with pytest.raises(JobFailed, match=f"^the job {space.to_text(archs[1])} failed: ZeroDivisionError"):
        failing.estimate(archs)
    (kept,) = tmp_path.glob("*/*.json")
    assert json.loads(kept.read_text())["arch"] == space.to_text(archs[0])
