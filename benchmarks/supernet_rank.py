"""What a few evaluations of a supernet are worth: `python -m benchmarks.supernet_rank --space nb201 --public --json`.

Public supernets have scored all 15,625 cells of NAS-Bench-201 (four recipes, three runs each). For each of them a
`SupernetFit` learns from 300 scores: of networks that differ in what they compute. It ranks all cells, beside the
scores themselves, MACs alone and depth alone. `noisy` are scores on 200 images. Then 40 cells are trained (looked up):
30 spread over what the fit says, and twice five that are the best of a budget by what is known then. Last, eight
finalists inside a budget, by clusters, apart by three genes, or just the first eight.

tau: Kendall's, with the test accuracy of all cells. equal_cost: the mean within 20 bins of MACs, of cells that compute
something. regret: accuracy points below the best cell inside the 25th, 50th and 75th percentile of MACs, mean.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks._supernet_scores import PERCENTILES, RECIPES, PublicScores, Ranked
from hwnas.accuracy import Predictor
from hwnas.accuracy.predictors import AdditiveGaussianProcess, GCNEnsemble, GradientBoostingPredictor
from hwnas.accuracy.supernet_fit import CorrectedFit, SupernetFit, gp_and_trees
from hwnas.run.search import LEAST_DIFFERENT_GENES, diverse
from hwnas.search.closer_look import best_per_budget, clustered, spread_over
from hwnas.spaces.nb201 import cell
from hwnas.spaces.sampling import different_functions
from latency_tables.arrays import Floats

_EVALUATIONS, _FINALISTS, _IMAGES = 300, 8, 200
_SPREAD, _PER_BUDGET = 30, (5, 5)  # labels: forty in all

PREDICTORS: Mapping[str, Callable[[PublicScores, int], Predictor]] = {
    "gp-and-trees": lambda public, seed: gp_and_trees(public.space, seed),
    "additive-gp": lambda public, seed: AdditiveGaussianProcess(public.space),
    "boosting": lambda public, seed: GradientBoostingPredictor(public.space, seed),
    "gcn": lambda public, seed: GCNEnsemble(public.space, seed),
}


@cache
def _public(folder: Path) -> PublicScores:
    return PublicScores.read(folder)


def one_run(folder: Path, name: str, predictor: str, seed: int) -> dict[str, float]:
    """All figures of one supernet with one draw, on one core."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        return _one_run(_public(folder), name, predictor, seed)


def _one_run(public: PublicScores, name: str, predictor: str, seed: int) -> dict[str, float]:
    every, scores, rng = public.population, public.scores[name], np.random.default_rng([seed, 7])
    scored = public.table.rows(different_functions(public.space, [seed, 2], _EVALUATIONS))

    def fitted(labels: Floats) -> SupernetFit:
        candidates = {predictor: lambda: PREDICTORS[predictor](public, seed)}
        return SupernetFit(public.space, seed, candidates).fit(every[scored], labels[scored])

    fit = fitted(scores)
    worth = fit.estimate(every).mean
    noisy = rng.binomial(_IMAGES, scores) / _IMAGES
    found = {
        "raw": public.ranked(scores),
        "fit": public.ranked(worth),
        "noisy_raw": public.ranked(noisy),
        "noisy_fit": public.ranked(fitted(noisy).estimate(every).mean),
        "labelled": public.ranked(_labelled(public, fit, worth, rng)),
        "labels_alone": public.ranked(_labels_alone(public, rng)),
    }
    with_size = rankdata(scores) + 0.5 * rankdata(public.macs)
    return _flat(found) | _finalists(public, {"fit": worth, "raw_and_size": with_size}, seed)


def _labelled(public: PublicScores, fit: SupernetFit, worth: Floats, rng: np.random.Generator) -> Floats:
    """What is thought of every cell once forty were trained."""
    accuracy = public.accuracy_pct / 100
    there = np.flatnonzero(public.computes)

    def corrected(labels: np.ndarray) -> Floats:
        return CorrectedFit(fit).fit(public.population[labels], accuracy[labels]).estimate(public.population).mean

    labels = there[spread_over(worth[there], _SPREAD, rng)]
    for count in _PER_BUDGET:
        known = np.flatnonzero(np.isin(there, labels))
        labels = np.concatenate(
            [labels, there[best_per_budget(corrected(labels)[there], public.macs[there], count, known)]]
        )
    return corrected(labels)


def _labels_alone(public: PublicScores, rng: np.random.Generator) -> Floats:
    """As many random cells, and no supernet."""
    labels = rng.choice(np.flatnonzero(public.computes), _SPREAD + sum(_PER_BUDGET), replace=False)
    accuracy = public.accuracy_pct[labels] / 100
    return (
        AdditiveGaussianProcess(public.space).fit(public.population[labels], accuracy).estimate(public.population).mean
    )


def _finalists(public: PublicScores, worths: Mapping[str, Floats], seed: int) -> dict[str, float]:
    """What the best of eight finalists misses, by what they were chosen, mean over budgets."""
    found: dict[str, list[float]] = {}
    for name, worth in worths.items():
        for percentile in PERCENTILES:
            inside = np.flatnonzero(public.inside(percentile))
            cells, order = public.population[inside], np.argsort(-worth[inside], kind="stable")
            apart = order[diverse(cells[order], _FINALISTS, LEAST_DIFFERENT_GENES)]
            by_cluster = clustered(public.space, cells, worth[inside], _FINALISTS, seed=seed)
            for how, chosen in (("clusters", by_cluster), ("apart", apart), ("top", order[:_FINALISTS])):
                found.setdefault(f"{name}_{how}_regret", []).append(public.regret(percentile, inside[chosen]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _flat(found: Mapping[str, Ranked]) -> dict[str, float]:
    return {f"{name}_{figure}": value for name, ranked in found.items() for figure, value in asdict(ranked).items()}


def figures(mean: Mapping[str, float]) -> dict[str, float]:
    """What is asked for first, then everything it comes from."""
    return {
        "fit_tau_loss": mean["raw_tau"] - mean["fit_tau"],
        "fit_equal_cost_loss": mean["raw_equal_cost"] - mean["fit_equal_cost"],
        "noisy_fit_gain": mean["noisy_fit_tau"] - mean["noisy_raw_tau"],
        "labelled_tau": mean["labelled_tau"],
        "labelled_equal_cost": mean["labelled_equal_cost"],
        "labelled_regret": mean["labelled_regret"],
        "cluster_regret": mean["raw_and_size_clusters_regret"],
        **mean,
    }


def main() -> None:
    """Every recipe, run and draw; then the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nb201", choices=["nb201"])
    parser.add_argument("--public", action="store_true", help="public scores, the only ones there are of this space")
    parser.add_argument("--predictor", default="gp-and-trees", choices=list(PREDICTORS), help="what the fit is made of")
    parser.add_argument("--seed", type=int, default=0, help="draws begin with this seed")
    parser.add_argument("--quick", action="store_true", help="one run per recipe")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at a time, one core each")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    add_output_options(parser)
    options = parser.parse_args()
    public = _public(options.data_folder)
    jobs = []
    with ProcessPoolExecutor(options.workers) as pool:
        for recipe in RECIPES:
            runs = public.runs(recipe)[: 1 if options.quick else None]
            for draw, name in enumerate(runs, start=options.seed):
                arguments = (options.data_folder, name, options.predictor, draw)
                jobs.append((name, pool.submit(one_run, *arguments)))
        details = {}
        for name, job in jobs:
            details[name] = job.result()
            say(f"{name:<42} " + ", ".join(f"{k} {v:.3f}" for k, v in figures(details[name]).items() if k in _SAID))
    mean = {name: float(np.mean([one[name] for one in details.values()])) for name in next(iter(details.values()))}
    depth = cell.live_op_statistics(public.population)[:, 1:3].sum(axis=1)  # live convolutions
    alone = _flat({"macs_alone": public.ranked(public.macs), "depth_alone": public.ranked(depth)})
    settings = {
        "space": options.space,
        "predictor": options.predictor,
        "evaluations": _EVALUATIONS,
        "quick": options.quick,
    }
    publish("supernet_rank", figures(mean) | alone, settings, options.seed, {"runs": details}, options.save)


_SAID = ("fit_tau_loss", "fit_equal_cost_loss", "labelled_tau", "labelled_regret", "cluster_regret")


if __name__ == "__main__":
    main()
