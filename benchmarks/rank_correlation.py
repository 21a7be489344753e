"""How well predictors rank every trained network: `python -m benchmarks.rank_correlation --labels 156`.

A predictor is fitted on the validation accuracies of random networks and ranks all there are (NAS-Bench-201: 15,625
cells); Kendall's tau is between its ranking and their validation accuracies, and their mean test accuracies. Every seed
draws other networks.

Hyper-parameters were chosen on CIFAR-10 validation and are used unchanged elsewhere.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau

from benchmarks._nas_data import DATASETS, TEST, load
from benchmarks._speak import DATA_FOLDER, add_output_options, flat, listed, publish, say
from hwnas.accuracy import Predictor, TabularBenchmark
from hwnas.accuracy.predictors import (
    AdditiveGaussianProcess,
    AdditivePredictor,
    AutomaticPredictor,
    Fitting,
    GaussianProcessPredictor,
    GCNEnsemble,
    GradientBoostingPredictor,
    MLPEnsemble,
    RandomForestPredictor,
    RidgePredictor,
)
from hwnas.search import BayesianStrategy
from hwnas.spaces import SearchSpace

PREDICTORS: dict[str, Callable[[SearchSpace, int], Predictor]] = {
    "additive-gp": lambda space, seed: AdditiveGaussianProcess(space),
    "plain-gp": BayesianStrategy.default_predictor,
    "gp": GaussianProcessPredictor,
    "additive": lambda space, seed: AdditivePredictor(space),
    "ridge": lambda space, seed: RidgePredictor(space),
    "forest": RandomForestPredictor,
    "boosting": GradientBoostingPredictor,
    "mlp": MLPEnsemble,
    "mlp-hinge": lambda space, seed: MLPEnsemble(space, seed, Fitting(loss="hinge")),
    "mlp-listmle": lambda space, seed: MLPEnsemble(space, seed, Fitting(loss="listmle")),
    "gcn": GCNEnsemble,
    "gcn-hinge": lambda space, seed: GCNEnsemble(space, seed, Fitting(loss="hinge")),
    "automatic": lambda space, seed: AutomaticPredictor(
        {
            "additive-gp": lambda: AdditiveGaussianProcess(space),
            "boosting": lambda: GradientBoostingPredictor(space, seed),
            "mlp": lambda: MLPEnsemble(space, seed),
        },
        seed,
    ),
}


@dataclass(frozen=True)
class Fit:
    """One fit on one sample."""

    kendall_tau_val: float
    kendall_tau_test: float
    seconds: float


@cache
def _benchmark(space: str, dataset: str, folder: str) -> TabularBenchmark:
    return load(space, dataset, Path(folder))


def run_one(space: str, dataset: str, predictor: str, labels: int, seed: int, folder: str) -> Fit:
    """Fit on `labels` random networks, rank all, on one core."""
    torch.set_num_threads(1)
    benchmark = _benchmark(space, dataset, folder)
    everything = benchmark.population
    chosen = np.random.default_rng(seed).choice(len(everything), labels, replace=False)
    truth = benchmark.estimate(everything).mean
    start = time.perf_counter()
    fitted = PREDICTORS[predictor](benchmark.table.space, seed).fit(everything[chosen], truth[chosen])
    predicted = fitted.estimate(everything).mean
    seconds = time.perf_counter() - start
    test = benchmark.look_up(everything, TEST)
    return Fit(float(kendalltau(predicted, truth)[0]), float(kendalltau(predicted, test)[0]), seconds)


def main() -> None:
    """Parse, fit every predictor on every sample, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nb201", choices=list(DATASETS))
    parser.add_argument("--dataset", default="c10", choices=DATASETS["nb201"])
    parser.add_argument("--labels", default="78,156,469,781,1563", help="how many labels; several with commas between")
    parser.add_argument("--predictor", default="additive-gp", help=f"{', '.join(PREDICTORS)}; several; or all")
    parser.add_argument("--seeds", type=int, default=20, help="how many samples of labels")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="fits at a time, one core each")
    parser.add_argument("--quick", action="store_true", help="3 seeds, 78 and 156 labels")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    add_output_options(parser)
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.labels = 3, "78,156"
    predictors = listed(parser, "predictor", args.predictor, PREDICTORS)
    load(args.space, args.dataset, args.data_folder)  # what is wrong with the file is said here, once
    counts = [int(n) for n in args.labels.split(",")]
    fits: dict[str, list[Fit]] = {}
    seeds = range(args.seed, args.seed + args.seeds)
    with ProcessPoolExecutor(args.workers) as pool:
        for predictor, labels in product(predictors, counts):
            name = f"{predictor} {labels}"
            jobs = [
                pool.submit(run_one, args.space, args.dataset, predictor, labels, s, str(args.data_folder))
                for s in seeds
            ]
            fits[name] = [job.result() for job in jobs]
            say(f"{name:<18} " + ", ".join(f"{k} {v:.4g}" for k, v in _figures(fits[name]).items()))
    results = {name: _figures(found) for name, found in fits.items()}
    settings = {
        "space": args.space,
        "dataset": args.dataset,
        "labels": counts,
        "predictor": predictors,
        "seeds": args.seeds,
    }
    details = {name: [asdict(f) for f in found] for name, found in fits.items()}
    publish("rank_correlation", flat(results), settings, args.seed, details, args.save)


def _figures(fits: list[Fit]) -> dict[str, float]:
    return {
        "kendall_tau_val": float(np.mean([f.kendall_tau_val for f in fits])),
        "kendall_tau_test": float(np.mean([f.kendall_tau_test for f in fits])),
        "seconds": float(np.mean([f.seconds for f in fits])),
    }


if __name__ == "__main__":
    main()
