"""How many trained networks a strategy needs: `python -m benchmarks.sample_efficiency --strategy prednas`.

A strategy sees validation accuracy alone. Three figures, never mixed: queries until the best validation accuracy of
the (feasible) space is found; the test accuracy of what validation chose; and, because many papers report it, the
oracle: the best test accuracy among all networks queried. Every seed is one run on one core.

Hyper-parameters were chosen on the CIFAR-10 validation accuracies of NAS-Bench-201 and are used unchanged elsewhere.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from benchmarks._nas_data import COMPLETE, DATASETS, load
from benchmarks._sampling_plot import plot
from benchmarks._sampling_runs import Outcome, Task, figures, run_one
from benchmarks._speak import DATA_FOLDER, add_output_options, flat, listed, publish, say
from hwnas.search import STRATEGIES

FEW = [name for name, entry in STRATEGIES.items() if entry.evaluations == "few"]


def main() -> None:
    """Parse, run every seed of every strategy on every data set, publish."""
    args = _parse()
    for dataset in args.dataset:
        load(args.space, dataset, args.data_folder)  # what is wrong with the files is said here, once
    budgets = list(product(args.latency, args.budget_percentile)) if args.latency else [(None, 100.0)]
    results: dict[str, dict[str, float]] = {}
    outcomes: dict[str, list[Outcome]] = {}
    with ProcessPoolExecutor(args.workers) as pool:
        for dataset, strategy, (device, percentile) in product(args.dataset, args.strategy, budgets):
            name = " ".join([dataset, strategy, *([f"{device}@{percentile:g}"] if device else [])])
            tasks = [
                Task(args.space, dataset, strategy, args.queries, seed, device, percentile, str(args.data_folder))
                for seed in range(args.seed, args.seed + args.seeds)
            ]
            outcomes[name] = list(pool.map(run_one, tasks))
            results[name] = figures(outcomes[name], args.queries)
            say(f"{name}: " + ", ".join(f"{k} {v:.6g}" for k, v in results[name].items() if not k.endswith("_se")))
    if args.save is not None:
        plot(outcomes, args.queries, args.save.with_suffix(".png"))
    settings = {k: getattr(args, k) for k in ("space", "dataset", "strategy", "queries", "seeds", "latency")}
    settings["budget_percentile"] = args.budget_percentile if args.latency else None
    details = {
        name: {"figures": results[name], "queries_to_optimum": [o.to_optimum for o in found]}
        for name, found in outcomes.items()
    }
    publish("sample_efficiency", flat(results), settings, args.seed, details, args.save)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nb201", choices=COMPLETE)
    parser.add_argument("--dataset", default="c10", help="c10, c100, in16, or several with commas between")
    parser.add_argument("--strategy", default="prednas", help=f"{', '.join(FEW)}; several; or all")
    parser.add_argument("--queries", type=int, default=100, help="networks that may be asked in a run")
    parser.add_argument("--seeds", type=int, default=100, help="how many runs")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--latency", help="devices of HELP, with commas between: their milliseconds are the budget")
    parser.add_argument("--budget-percentile", default="50", help="percent of all networks that keep it; or several")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at a time, one core each")
    parser.add_argument("--quick", action="store_true", help="4 seeds, 50 queries: the same protocol in a minute")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    add_output_options(parser)
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.queries = 4, 50
    args.dataset = listed(parser, "data set", args.dataset, DATASETS[args.space])
    args.strategy = listed(parser, "strategy", args.strategy, FEW)
    args.latency = args.latency.split(",") if args.latency else None
    args.budget_percentile = [float(p) for p in args.budget_percentile.split(",")]
    if args.latency and args.space != "nb201":
        parser.error("--latency: measured latencies are there for nb201 alone")
    return args


if __name__ == "__main__":
    main()
