"""The supernet's scores as a table: asked for once, kept in the run folder, searched under any budget."""

from types import SimpleNamespace

import numpy as np
import pytest

import hwnas.run.fitted
from hwnas.accuracy.pairs import Pairs
from hwnas.accuracy.predictors import Fitting, GCNEnsemble, RidgePredictor
from hwnas.accuracy.supernet_fit import SupernetFit
from hwnas.cli.main import main
from hwnas.run.fitted import FIT_FILE, among_fitted, fitted
from hwnas.run.folder import RunFolder
from hwnas.run.settings import Settings
from hwnas.search import Budget, Problem
from hwnas.spaces import NasBenchMacro

MACRO = NasBenchMacro()
LAYERS = Budget("layers", 4, lambda population: (population > 0).sum(axis=1).astype(float))


def score(archs):
    return 0.5 + 0.04 * (archs > 0).sum(axis=1) + 0.01 * (archs == 2)[:, :4].sum(axis=1)


class Model:
    """What the stage asks of an accuracy model; counts what its supernet is asked."""

    space, supernet_digest = MACRO, "a"

    def __init__(self, folder):
        self.folder, self.settings, self.asked = folder, folder.settings, 0
        archs = MACRO.sample(np.random.default_rng(0), 15)
        self.pairs = Pairs(archs, score(archs))

    def evaluate(self, archs, name, progress):
        self.asked += len(archs)
        return score(archs)


class Quick(SupernetFit):
    """Small candidates of the same names."""

    def __init__(self, space, seed=0, candidates=None):
        quick = {
            "gp-and-trees": lambda: RidgePredictor(space),
            "gcn": lambda: GCNEnsemble(space, seed, Fitting(members=2, hidden=4, steps=5)),
        }
        super().__init__(space, seed, candidates or quick)


@pytest.fixture
def open_folder(tmp_path, listener, monkeypatch):
    monkeypatch.setattr(hwnas.run.fitted, "SupernetFit", Quick)
    folders = []

    def opened(**settings):
        for folder in folders:
            folder.close()
        folders.append(RunFolder(tmp_path / "run", Settings(strategy="gcn-fit", queries=12, **settings), listener))
        return folders[-1]

    yield opened
    folders[-1].close()


def test_the_supernet_is_asked_once_and_never_again_for_another_budget(open_folder, listener):
    first = Model(open_folder(budget_ms=4.0))
    fit = fitted(first)
    assert first.asked == 12
    assert (first.folder.path / FIT_FILE).is_file()
    assert any("Kendall's tau" in text and "gcn" in text and "gp-and-trees" in text for text in listener.said)
    again = Model(open_folder(budget_ms=2.0))
    loaded = fitted(again)
    assert again.asked == 0
    archs = MACRO.sample(np.random.default_rng(1), 50)
    assert np.array_equal(loaded.estimate(archs).mean, fit.estimate(archs).mean)
    more = Model(open_folder(budget_ms=2.0, seed=1))
    fitted(more)
    assert more.asked == 12  # another sample is another table


def test_the_best_by_the_fit_keep_the_budget_and_come_without_new_pairs():
    accuracy = SimpleNamespace(estimate=lambda archs: SimpleNamespace(mean=score(archs), std=0 * score(archs)))
    problem = Problem(MACRO, accuracy, budgets=(LAYERS,))
    seen, pairs = among_fitted(problem, seed=0)
    assert len(pairs.accuracy) == 0
    assert (LAYERS.cost(seen.population) <= 4).all()
    assert score(seen.population)[0] == score(seen.population).max() == pytest.approx(0.5 + 4 * 0.05)


@pytest.mark.slow
def test_a_run_goes_on_under_another_budget_without_the_supernet(own_copy, capsys):
    """Journal lines are answers of the supernet: a second budget adds none, and its networks are others."""

    def search(budget_ms):
        words = ["search", "--strategy", "gcn-fit", "--queries", "10", "--budget-ms", str(budget_ms)]
        assert main([*words, "--out", str(own_copy), "--json"]) == 0
        return capsys.readouterr()

    def answers():
        return sum(len(path.read_text().splitlines()) for path in (own_copy / "journals").glob("scores-*.jsonl"))

    before = answers()
    first = search(3.0)
    known = answers()
    assert before < known <= before + 10
    second = search(0.7)
    assert answers() == known
    assert "fit of the supernet: already done" in second.err
    assert first.out != second.out
