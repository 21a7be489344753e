"""PredNAS on a space nobody has tabulated: `python -m benchmarks.regnet_search --json`.

RegNet's design space at 32 x 32 pixels, every network really trained for a short while on a CIFAR-10 subset, under a
budget of multiply-accumulates and under one of milliseconds on this device. Each strategy asks for as many networks;
what counts is the best validation accuracy it found, and by how much it is above or below the other strategies'.
Networks trained once are kept under --out: a second call goes on where the first was stopped.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks.table_error import Task as TableTask
from benchmarks.table_error import make_table
from hwnas.accuracy import TrainedAccuracy
from hwnas.cli.display import ConsoleDisplay
from hwnas.data import load_dataset
from hwnas.search import Budget, Problem, make_strategy, search
from hwnas.spaces import SearchSpace, load_space
from hwnas.spaces.cost import count_macs
from hwnas.training import Batches, Recipe
from latency_tables import LatencyModel
from latency_tables.arrays import Function

SPACE = "regnet-32"
STRATEGIES = ("prednas", "random", "evolution", "gp-ucb")
BATCH = 32


@dataclass(frozen=True)
class Job:
    """One strategy, one seed, one budget: of milliseconds where there is a latency model, else of MACs."""

    strategy: str
    seed: int
    latency: LatencyModel | None
    limit: float
    queries: int
    train: Path
    images: int
    recipe: Recipe
    folder: Path

    def budget(self, space: SearchSpace) -> Budget:
        """The budget, made where it is used."""
        if self.latency is not None:
            return Budget.latency(self.latency, self.limit)
        return Budget("M MACs", self.limit, macs_of(space))


def macs_of(space: SearchSpace) -> Function:
    """Millions of multiply-accumulates."""
    return space.additive({op: count_macs(space.build_op(op), op.in_shape) / 1e6 for op in space.all_ops})


def run_one(job: Job) -> list[float]:
    """Validation accuracies in percent, in the order of the queries; on one core."""
    torch.set_num_threads(1)
    space = load_space(SPACE)
    data = load_dataset(str(job.train), size=32, limit=job.images)
    accuracy = TrainedAccuracy(space, Batches(data, BATCH), job.recipe, job.folder / "trained")
    problem = Problem(space, accuracy, budgets=(job.budget(space),))
    strategy = make_strategy(job.strategy, problem, seed=job.seed)
    found = search(problem, strategy, job.queries).uninterrupted()
    return [100 * float(a) for a in found.accuracy[: job.queries]]


def latency_model(folder: Path, seed: int) -> LatencyModel:
    """A latency table of this device, profiled and calibrated now."""
    task = TableTask(SPACE, "onnxruntime", 1, "fp32", folder / "table")
    return make_table(task.bench(), seed, ConsoleDisplay()).calibrated.model


def main() -> None:
    """Parse, train what the strategies ask for, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", default="macs,ms", help="macs, ms, or both")
    parser.add_argument("--percentile", type=float, default=25, help="percent of random networks that keep a budget")
    parser.add_argument("--queries", type=int, default=40, help="networks a strategy may have trained")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=2000, help="images of CIFAR-10, a fifth of them for validation")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train", type=Path, default=DATA_FOLDER / "cifar10" / "train.parquet")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at a time, one core each")
    parser.add_argument("--quick", action="store_true", help="one seed, 12 queries, 500 images, MACs alone")
    parser.add_argument("--out", type=Path, help="keep trained accuracies and the table here and go on from them")
    add_output_options(parser)
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.queries, args.images, args.budgets = 1, 12, 500, "macs"
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.out or Path(scratch)
        best, outcomes = compare(args, folder)
    for unit, columns in best.items():
        say(f"{unit}: " + ", ".join(f"{name} {np.mean(values):.2f} %" for name, values in columns.items()))
    figures = {f"{unit} {name}": float(np.mean(values)) for unit, of in best.items() for name, values in of.items()}
    settings = {k: getattr(args, k) for k in ("budgets", "percentile", "queries", "seeds", "images", "epochs")}
    publish("regnet_search", figures, settings, 0, outcomes, args.save)


def compare(args: argparse.Namespace, folder: Path) -> tuple[dict[str, dict[str, list[float]]], dict[str, list[float]]]:
    """The best accuracy of every strategy and seed under every budget; and all accuracies in order, by run."""
    space, recipe = load_space(SPACE), Recipe(args.epochs)
    sample = space.sample(np.random.default_rng(0), 2000)
    jobs: dict[str, Job] = {}
    for unit in args.budgets.split(","):
        latency = latency_model(folder, 0) if unit == "ms" else None
        costs = macs_of(space)(sample) if latency is None else latency.predict(sample).upper_ms
        limit = float(np.percentile(costs, args.percentile))
        say(f"budget: {limit:.4g} {unit}")
        for seed in range(args.seeds):
            for name in STRATEGIES:
                fixed = (args.queries, args.train, args.images, recipe, folder)
                jobs[f"{unit} {name} {seed}"] = Job(name, seed, latency, limit, *fixed)
    outcomes: dict[str, list[float]] = {}
    with ProcessPoolExecutor(args.workers) as pool:
        running = {pool.submit(run_one, job): key for key, job in jobs.items()}
        for done in as_completed(running):
            outcomes[running[done]] = done.result()
            say(f"{len(outcomes)} of {len(jobs)}: {running[done]}: best {max(done.result()):.2f} %")
    best: dict[str, dict[str, list[float]]] = {}
    for key in jobs:
        unit, name, _ = key.rsplit(" ", 2)
        best.setdefault(unit, {}).setdefault(name, []).append(max(outcomes[key]))
    return best, {key: outcomes[key] for key in jobs}


if __name__ == "__main__":
    main()
