"""Searching a neural predictor's best network under budgets: ours and others', at equal evaluations and equal time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks._ofa_package import OfaTwin
from benchmarks._search_rivals import Asked, Rival, ofa_evolution, optuna_nsga2, optuna_tpe, pymoo_nsga2
from benchmarks._speak import say
from benchmarks._timing import timed
from hwnas.accuracy import AccuracyEstimator
from hwnas.accuracy.predictors import AdditivePredictor, MLPEnsemble
from hwnas.search import BOCSStrategy, Budget, Evaluated, Problem
from hwnas.spaces import Population

Floats = NDArray[np.float64]

_LABELS = 1000
_HIDDEN = 24
_RIVALS: Mapping[str, tuple[Rival, int]] = {  # and their evaluations; the slow ones get fewer
    "ofa": (ofa_evolution, 50_000),
    "pymoo-nsga2": (pymoo_nsga2, 50_000),
    "optuna-nsga2": (optuna_nsga2, 5_000),
    "optuna-tpe": (optuna_tpe, 1_000),
}


def mlp(seed: int, budgets: int, most: int = 50_000) -> tuple[dict[str, float], Mapping[str, Any]]:
    """One predictor, one core; the best predicted accuracy under milliseconds over the whole range.

    `most`: evaluations that any search may have.
    """
    twin = OfaTwin(seed)
    predictor, how_far = _predictor(twin, seed)
    costs = twin.ms(twin.space.sample(np.random.default_rng(2), 2000))
    rows = []
    for number, budget_ms in enumerate(map(float, np.quantile(costs, np.linspace(0.05, 0.95, budgets)))):
        rivals = {}
        for name, (search, evaluations) in _RIVALS.items():
            asked = rivals[name] = Asked(twin, predictor, budget_ms)
            _, asked.seconds = timed(partial(search, asked, number, min(evaluations, most)))
        ours = Asked(twin, predictor, budget_ms)
        _surrogate(ours, number, max(rival.evaluations for rival in rivals.values()))
        rows.append(_row(budget_ms, ours, rivals))
    figures = {"mlp_never_worse": float(sum(row["never_worse"] for row in rows))}
    for name in _RIVALS:
        of_one = [row["rivals"][name] for row in rows]
        figures[f"mlp_better_than_{name}"] = float(sum(r["ours_at_its_evaluations"] > r["best"] + 1e-9 for r in of_one))
        figures[f"mlp_speedup_vs_{name}"] = float(np.median([r["seconds_to_best"] / r["our_seconds"] for r in of_one]))
    return figures, {"predictor": how_far, "budgets": rows}


def _made_up(twin: OfaTwin, seed: int) -> Callable[[Population], Floats]:
    """Accuracies in which blocks matter each by itself and, as much again, together."""
    rng, space = np.random.default_rng([seed, 7]), twin.space
    width = space.encode(space.sample(rng, 1)).shape[1]
    mixed, heard = rng.normal(size=(width, _HIDDEN)) / np.sqrt(width), rng.normal(size=_HIDDEN)

    def parts(population: Population) -> tuple[Floats, Floats]:
        return twin.accuracy(population), np.tanh(2 * (space.encode(population) - 0.4) @ mixed) @ heard

    typical = [(part.mean(), part.std()) for part in parts(space.sample(np.random.default_rng(0), 5000))]

    def accuracy(population: Population) -> Floats:
        scores = [(part - mean) / std for part, (mean, std) in zip(parts(population), typical, strict=True)]
        return np.asarray(0.75 + 0.02 * np.sum(scores, axis=0))

    return accuracy


def _predictor(twin: OfaTwin, seed: int) -> tuple[AccuracyEstimator, Mapping[str, float]]:
    """An MLP that has learned made-up accuracies; how well, and how far it is from adding up (Kendall's tau)."""
    accuracy, space = _made_up(twin, seed), twin.space
    some, others = (space.sample(np.random.default_rng([seed, k]), _LABELS) for k in (8, 9))
    predictor = MLPEnsemble(space, seed).fit(some, accuracy(some))
    said = predictor.estimate(others).mean
    additive = AdditivePredictor(space).fit(some, predictor.estimate(some).mean).estimate(others).mean
    how_far = {
        "tau": float(kendalltau(accuracy(others), said)[0]),
        "additive_tau": float(kendalltau(said, additive)[0]),
    }
    say(f"predictor: tau {how_far['tau']:.2f}; an additive model follows it with tau {how_far['additive_tau']:.2f}")
    return predictor, how_far


def _surrogate(asked: Asked, seed: int, evaluations: int) -> None:
    """Ours."""
    twin = asked.twin
    budgets = (Budget("ms", asked.budget_ms, twin.ms),)
    strategy = BOCSStrategy(Problem(twin.space, asked.predictor, budgets=budgets), seed=seed)
    while asked.evaluations < evaluations:
        archs = strategy.suggest()
        unknown = np.full(len(archs), np.nan)
        strategy.update(Evaluated(archs, asked(archs), unknown, unknown, unknown))


def _row(budget_ms: float, ours: Asked, rivals: Mapping[str, Asked]) -> dict[str, Any]:
    """Who found what, and when."""
    found = {
        name: {
            "best": rival.best,
            "evaluations": rival.evaluations,
            "seconds": rival.seconds,
            "seconds_to_best": rival.seconds_to(rival.best),
            "ours_at_its_evaluations": ours.at(evaluations=rival.evaluations),
            "ours_at_its_seconds": ours.at(seconds=rival.seconds),
            "our_seconds": ours.seconds_to(rival.best),
        }
        for name, rival in rivals.items()
    }
    at_equal = [min(r["ours_at_its_evaluations"], r["ours_at_its_seconds"]) - r["best"] for r in found.values()]
    told = ", ".join(
        f"{name} {r['best']:.5f} ({r['seconds_to_best'] / r['our_seconds']:.0f} x)" for name, r in found.items()
    )
    say(f"{budget_ms:.3g} ms: ours {ours.best:.5f}; {told}")
    return {
        "budget_ms": budget_ms,
        "accuracy": ours.best,
        "seconds": ours.seconds_to(ours.best),
        "evaluations": ours.evaluations,
        "never_worse": bool(min(at_equal) >= -1e-9),
        "rivals": found,
    }
