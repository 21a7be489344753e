"""What a few evaluations of a supernet are worth: `python -m benchmarks.supernet_rank --space nb201 --public --json`.

nb201: public supernets have scored all 15,625 cells (four recipes, three runs each). For each of them a `SupernetFit`
learns from 300 scores: of networks that differ in what they compute. It ranks all cells, beside the scores themselves,
MACs alone and depth alone. `noisy` are scores on 200 images. Then 40 cells are trained (looked up): 25 spread over what
the fit says, and three times five that are the best of a budget by what is known then. Last, eight finalists inside a
budget, by clusters, apart by three genes, or just the first eight.

nasbench-macro: the same for supernets of our own, whose scores of all 6,561 networks are kept beside the results;
the main figures are those of the one that ranks best, mean of twenty draws. tau_raw is of the mean probability of the
true class, which one network's images tell more exactly than accuracy; a fit averages that out, and is of accuracies.
Budgets are on MACs and on ms of a measured table. `--train --sampler NAME` makes another supernet.

tau: Kendall's, with the test accuracy of all networks. equal_cost: the mean within 20 bins of MACs, of those that
compute something. regret: accuracy points below the best cell inside the 25th, 50th and 75th percentile of MACs, mean.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import numpy as np
import torch
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from benchmarks._apart import apart
from benchmarks._macro_supernet import MacroRecipe, keep_scores, macro_data
from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks._supernet_scores import (
    KEPT,
    PERCENTILES,
    RECIPES,
    Ranked,
    ScoredSpace,
    kept_scores,
    public_scores,
)
from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import AdditiveGaussianProcess, GCNEnsemble, GradientBoostingPredictor
from hwnas.accuracy.supernet_fit import CorrectedFit, SupernetFit, gp_and_trees
from hwnas.search import Budget, Problem, best_by_segments
from hwnas.search.closer_look import best_per_budget, clustered, spread_over
from hwnas.spaces import View
from hwnas.spaces.sampling import different_functions
from hwnas.training.recipe import PATHS
from latency_tables.arrays import Floats

_EVALUATIONS, _FINALISTS, _IMAGES = 300, 8, 200
_DRAWS = 20  # of evaluations and labels, of nasbench-macro
_SPREAD, _PER_BUDGET = 25, (5, 5, 5)  # labels: forty in all

PREDICTORS: Mapping[str, Callable[[ScoredSpace, int], Predictor]] = {
    "gp-and-trees": lambda scored, seed: gp_and_trees(scored.space, seed),
    "additive-gp": lambda scored, seed: AdditiveGaussianProcess(scored.space),
    "boosting": lambda scored, seed: GradientBoostingPredictor(scored.space, seed),
    "gcn": lambda scored, seed: GCNEnsemble(scored.space, seed),
}


@cache
def _scored(space: str, folder: Path, kept: Path) -> ScoredSpace:
    return public_scores(folder) if space == "nb201" else kept_scores(folder, kept)


def one_run(source: tuple[str, Path, Path], name: str, predictor: str, seed: int) -> dict[str, float]:
    """All figures of one supernet with one draw, on one core."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return _one_run(_scored(*source), name, predictor, seed)


def _one_run(scored: ScoredSpace, name: str, predictor: str, seed: int) -> dict[str, float]:
    every, scores, rng = scored.population, scored.scores[name], np.random.default_rng([seed, 7])
    evaluated = scored.table.rows(different_functions(scored.space, [seed, 2], _EVALUATIONS))

    def fitted(labels: Floats) -> SupernetFit:
        candidates = {predictor: lambda: PREDICTORS[predictor](scored, seed)}
        return SupernetFit(scored.space, seed, candidates).fit(every[evaluated], labels[evaluated])

    fit = fitted(scores)
    worth = fit.estimate(every).mean
    noisy = rng.binomial(_IMAGES, scores) / _IMAGES
    before = deepcopy(rng)  # for the same draws once more
    found = {
        "raw": scored.ranked(scores),
        "fit": scored.ranked(worth),
        "fit_and_macs": scored.ranked(_with_size(worth, scored.cost)),
        "fit_and_depth": scored.ranked(_with_size(worth, scored.depth)),
        "noisy_raw": scored.ranked(noisy),
        "noisy_fit": scored.ranked(fitted(noisy).estimate(every).mean),
        "labelled": scored.ranked(_labelled(scored, fit, worth, rng)),
        "labels_alone": scored.ranked(_labels_alone(scored, rng)),
    }
    signals = scored.signals.get(name, {})
    if (probability := signals.get("probability")) is not None:
        found["probability"] = scored.ranked(probability)
    if (angle := signals.get("angle")) is not None:
        view = View("angle", lambda population: angle[scored.table.rows(population)][:, None], trend=True)
        found["labelled_angle"] = scored.ranked(_labelled(scored, fit, worth, deepcopy(before), [view]))
    if scored.ms is not None:
        by_ms = replace(scored, cost=scored.ms)
        found["labelled_ms"] = by_ms.ranked(_labelled(by_ms, fit, worth, before))
    with_macs = _with_size(scores, scored.cost)
    finalists = _finalists(scored, {"fit": worth, "raw_and_macs": with_macs}, seed)
    return _flat(found) | finalists | {"second_budget_cpu_s": _second_budget_cpu_s(scored, fit)}


def _second_budget_cpu_s(scored: ScoredSpace, fit: SupernetFit) -> float:
    """How long the fit takes to be read and searched inside another budget, with nothing evaluated anew."""
    budget = Budget("MACs", float(np.percentile(scored.cost, PERCENTILES[1])), scored.additive_cost())
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fit.json"
        fit.save(path)
        began = time.process_time()
        read = SupernetFit.load(path, scored.space)
        best_by_segments(Problem(scored.space, read, budgets=(budget,)))
        return time.process_time() - began


def _with_size(worth: Floats, size: Floats) -> Floats:
    """Supernets rank large networks too low: half the rank of their size on top, as found on NAS-Bench-201."""
    mixed: Floats = rankdata(worth) + 0.5 * rankdata(size)
    return mixed


def _labelled(
    scored: ScoredSpace, fit: SupernetFit, worth: Floats, rng: np.random.Generator, signals: Sequence[View] = ()
) -> Floats:
    """What is thought of every cell once forty of different functions were trained, which are known then."""
    every, accuracy, function = scored.population, scored.accuracy_pct / 100, scored.function
    there = np.flatnonzero(scored.computes)

    def corrected(labels: np.ndarray) -> Floats:
        return CorrectedFit(fit, signals).fit(every[labels], accuracy[labels]).estimate(every).mean

    labels = there[spread_over(worth[there], _SPREAD, rng)]
    for count in _PER_BUDGET:
        new = scored.different[~np.isin(function[scored.different], function[labels])]
        chosen = best_per_budget(corrected(labels)[new], scored.cost[new], count)
        labels = np.concatenate([labels, new[chosen]])
    known = np.full(function.max() + 1, np.nan)
    known[function[labels]] = accuracy[labels]
    return np.where(np.isnan(known[function]), corrected(labels), known[function])


def _labels_alone(scored: ScoredSpace, rng: np.random.Generator) -> Floats:
    """As many random cells, and no supernet."""
    labels = rng.choice(np.flatnonzero(scored.computes), _SPREAD + sum(_PER_BUDGET), replace=False)
    accuracy = scored.accuracy_pct[labels] / 100
    return (
        AdditiveGaussianProcess(scored.space).fit(scored.population[labels], accuracy).estimate(scored.population).mean
    )


def _finalists(scored: ScoredSpace, worths: Mapping[str, Floats], seed: int) -> dict[str, float]:
    """What the best of eight finalists misses, by what they were chosen, mean over budgets."""
    found: dict[str, list[float]] = {}
    for name, worth in worths.items():
        for percentile in PERCENTILES:
            inside = np.flatnonzero(scored.inside(percentile))
            cells, order = scored.population[inside], np.argsort(-worth[inside], kind="stable")
            differing = order[apart(cells[order], _FINALISTS)]
            by_cluster = clustered(scored.space, cells, worth[inside], _FINALISTS, seed=seed)
            for how, chosen in (("clusters", by_cluster), ("apart", differing), ("top", order[:_FINALISTS])):
                found.setdefault(f"{name}_{how}_regret", []).append(scored.regret(percentile, inside[chosen]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _flat(found: Mapping[str, Ranked]) -> dict[str, float]:
    return {f"{name}_{figure}": value for name, ranked in found.items() for figure, value in asdict(ranked).items()}


def figures(mean: Mapping[str, float]) -> dict[str, float]:
    """Of NAS-Bench-201: what is asked for first, then everything it comes from."""
    return {
        "fit_tau_loss": mean["raw_tau"] - mean["fit_tau"],
        "fit_equal_cost_loss": mean["raw_equal_cost"] - mean["fit_equal_cost"],
        "noisy_fit_gain": mean["noisy_fit_tau"] - mean["noisy_raw_tau"],
        "labelled_tau": mean["labelled_tau"],
        "labelled_equal_cost": mean["labelled_equal_cost"],
        "labelled_regret": mean["labelled_regret"],
        "cluster_regret": mean["raw_and_macs_clusters_regret"],
        "second_budget_cpu_s": mean["second_budget_cpu_s"],
        **mean,
    }


def macro_figures(mean: Mapping[str, float], tau_depth: float) -> dict[str, float]:
    """Of NAS-Bench-Macro: what is asked for first, then everything it comes from."""
    return {
        "tau_raw": mean["probability_tau"],
        "tau_gcn": mean["fit_and_depth_tau"],
        "tau_labelled": mean["labelled_tau"],
        "regret_points_mean": (mean["labelled_regret"] + mean["labelled_ms_regret"]) / 2,
        "tau_depth": tau_depth,
        "evaluations": _EVALUATIONS,
        "second_budget_cpu_s": mean["second_budget_cpu_s"],
        **mean,
    }


def main() -> None:
    """Every supernet and draw; then the means."""
    options = _options()
    if options.train:
        _train(options)
    source = (options.space, options.data_folder, options.kept)
    scored = _scored(*source)
    public = options.space == "nb201"
    if public:
        runs = [(name, i) for r in RECIPES for i, name in enumerate(scored.runs(r)[: 1 if options.quick else None])]
        beside = {}
    else:
        beside = {
            f"{name} {signal}": scored.ranked(values)
            for name in scored.scores
            for signal, values in {"accuracy": scored.scores[name], **scored.signals[name]}.items()
        }
        best = max(scored.scores, key=lambda name: beside[f"{name} probability"].tau)
        say(f"{len(scored.scores)} supernets; {best} ranks best")
        runs = [(best, i) for i in range(1 if options.quick else _DRAWS)]
    jobs, details = {}, {}
    with ProcessPoolExecutor(options.workers) as pool:
        for name, i in runs:
            draw = options.seed + i
            jobs[name if public else f"{name} draw {draw}"] = pool.submit(
                one_run, source, name, options.predictor, draw
            )
        for name, job in jobs.items():
            details[name] = job.result()
            say(f"{name:<42} " + ", ".join(f"{k} {v:.3f}" for k, v in details[name].items() if k in _SAID))
    mean = {name: float(np.mean([one[name] for one in details.values()])) for name in next(iter(details.values()))}
    alone = {"macs_alone": scored.ranked(scored.cost), "depth_alone": scored.ranked(scored.depth)}
    first = figures(mean) if public else macro_figures(mean, alone["depth_alone"].tau)
    settings = {
        "space": options.space,
        "predictor": options.predictor,
        "evaluations": _EVALUATIONS,
        "quick": options.quick,
    }
    publish("supernet_rank", first | _flat(alone | beside), settings, options.seed, {"runs": details}, options.save)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nb201", choices=["nb201", "nasbench-macro"])
    parser.add_argument("--public", action="store_true", help="public scores, the only ones there are of nb201")
    parser.add_argument("--predictor", default="gp-and-trees", choices=list(PREDICTORS), help="what the fit is made of")
    parser.add_argument("--seed", type=int, default=0, help="draws begin with this seed")
    parser.add_argument("--quick", action="store_true", help="one run per recipe, one draw")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at a time, one core each")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of the scores of supernets of nasbench-macro")
    parser.add_argument(
        "--train", action="store_true", help="first train a supernet of nasbench-macro, keep its scores"
    )
    parser.add_argument("--sampler", default="balanced", choices=PATHS, help="of the networks of a step")
    parser.add_argument("--own-teacher", action="store_true", help="the largest network of a step teaches the others")
    parser.add_argument("--passes", type=int, default=15_000, help="batches of 64 through a network, forth and back")
    parser.add_argument("--images", type=int, default=1000, help="to score every network of a trained supernet on")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "hwnas-macro", help="where training goes on")
    add_output_options(parser)
    options = parser.parse_args()
    if options.train and options.space == "nb201":
        parser.error("supernets share weights along chains of ops, and nb201 is made of cells; use nasbench-macro")
    return options


def _train(options: argparse.Namespace) -> None:
    recipe = MacroRecipe(
        options.sampler, options.passes, options.seed, own_teacher=options.own_teacher, scored_images=options.images
    )
    say(f"kept {keep_scores(recipe, macro_data(options.data_folder, recipe.size), options.work, options.kept)}")


_SAID = ("raw_tau", "fit_tau", "labelled_tau", "labelled_regret", "raw_and_macs_clusters_regret")


if __name__ == "__main__":
    main()
