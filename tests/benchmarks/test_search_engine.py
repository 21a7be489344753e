"""The search engine's benchmark: both sides estimate the same networks, and nothing is left out of brute force."""

import importlib.util

import numpy as np
import pytest

from benchmarks._global_genes import global_genes
from benchmarks._growth import Row, _exponent
from benchmarks._predict_share import predict_share
from benchmarks._search_rivals import Asked
from benchmarks.search_engine import _blocks, brute_force, exact, infeasible, mlp
from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import every_network


class TheirAccuracy(AccuracyEstimator):
    """The additive accuracy of both sides."""

    def __init__(self, twin):
        self.twin = twin

    def estimate(self, population):
        accuracy = self.twin.accuracy(population)
        return AccuracyEstimate(accuracy, np.zeros(len(accuracy)))


HAVE_RIVAL = all(importlib.util.find_spec(name) for name in ("ofa", "yaml", "tqdm"))


@pytest.fixture(scope="module")
def twin():
    if not HAVE_RIVAL:
        pytest.skip("the rival is not installed: pip install 'hwnas[rivals]'")
    from benchmarks._ofa_package import OfaTwin

    return OfaTwin(seed=3)


def test_both_sides_estimate_the_same(twin):
    archs = twin.space.sample(np.random.default_rng(0), 300)
    specs = twin.specs(archs)
    theirs = [twin.their_ms(spec) for spec in specs]
    assert twin.ms(archs) == pytest.approx(theirs, abs=1e-9)
    assert np.array_equal(twin.population(specs), archs)


def test_exact_is_never_worse_and_an_impossible_budget_is_refused(twin, capsys):
    figures, details = exact(twin, budgets=2, generations=3)
    assert figures["exact_never_worse"] == figures["exact_proven"] == 2
    assert all(row["ms"] <= row["budget_ms"] for row in details["budgets"])
    assert all(row["ofa_ms"] <= row["budget_ms"] for row in details["budgets"])
    _, refusals = infeasible(twin)
    assert all("larger" in message for message in refusals["messages"])


def test_what_was_asked_is_on_record_with_what_keeps_the_budget(twin):
    archs = twin.space.sample(np.random.default_rng(1), 200)
    middle = float(np.median(twin.ms(archs)))
    asked = Asked(twin, TheirAccuracy(twin), middle)
    said = asked(archs[:100]), asked(archs[100:])
    inside = [
        accuracy[twin.ms(part) <= middle] for accuracy, part in zip(said, (archs[:100], archs[100:]), strict=True)
    ]
    assert asked.evaluations == 200
    assert asked.at(evaluations=99) == -np.inf
    assert asked.at(evaluations=100) == inside[0].max()
    assert asked.best == asked.at() == max(part.max() for part in inside)
    assert 0 < asked.seconds_to(inside[0].max()) <= asked.seconds_to(asked.best) < np.inf
    assert asked.seconds_to(1e9) == np.inf


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="pip install 'hwnas[rivals]' for optuna")
def test_searches_of_a_neural_predictor_are_compared_at_equal_evaluations_and_time(twin, capsys):
    figures, details = mlp(seed=3, budgets=1, most=300)
    (row,) = details["budgets"]
    assert set(row["rivals"]) == {"ofa", "pymoo-nsga2", "optuna-nsga2", "optuna-tpe"}
    for rival in row["rivals"].values():
        assert 250 <= rival["evaluations"] <= 400
        assert 0 < rival["seconds_to_best"] <= rival["seconds"]
    worse = any(
        min(r["ours_at_its_evaluations"], r["ours_at_its_seconds"]) < r["best"] - 1e-9 for r in row["rivals"].values()
    )
    assert figures["mlp_never_worse"] == (not worse)
    assert row["accuracy"] >= max(rival["ours_at_its_evaluations"] for rival in row["rivals"].values())


def test_brute_force_agrees(twin):
    figures, details = brute_force(twin, 50_000)
    assert figures["streamed"] >= 50_000
    assert figures["brute_force_agrees"] == 1
    assert details["best"] == sorted(details["best"])


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_blocks_hold_every_genotype_once(size):
    space = Row(4, 3)
    rows = np.concatenate([block.copy() for block in _blocks([3, 3, 3, 3], size)])
    assert np.array_equal(np.unique(rows, axis=0), every_network(space))
    assert len(rows) == 81


def test_the_exponent_of_a_power_law():
    points = [{"slots": n, "s": 0.5 * n**1.5} for n in (20, 50, 200)]
    assert _exponent(points, "slots", "s") == pytest.approx(1.5)


def test_fronts_of_tied_stages_agree_with_every_network_priced():
    figures, _ = global_genes(seed=3)
    assert figures["global_genes_agrees"] == 1
    assert figures["global_genes_networks"] == 110_592


def test_predictions_and_look_ups_are_of_the_same_networks():
    figures, details = predict_share(rounds=1, count=2000)
    assert details["knees"] > 0
    for name in ("", "_by_gene"):
        ratio = figures[f"predicted_per_second{name}"] / figures[f"looked_up_per_second{name}"]
        assert figures[f"predict_share{name}"] == pytest.approx(ratio)
