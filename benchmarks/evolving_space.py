"""NSE inside milliseconds: `python -m benchmarks.evolving_space --part search --data digits --seeds 3 --json`.

search: on `nse-32`, inside the median predicted latency of random networks, of two branches per place on average.
NSE's rounds (weights of branches that stay are kept; `nse-fresh`: not; `nse-macs`, `nse-angle`: the branches survive
that have the most MACs, or whose weights turned most), against one supernet of as many steps on a random subset of the
pool, on the whole pool, and on networks of one branch per place. Each supernet scores some 120 networks that use the
budget; the best four are trained alike, validation picks one, and the device measures it.

bookkeeping: what a round costs beside the training on 22 places of 72 branches, in a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import torch

from benchmarks._evolving_rivals import METHODS, Contest, Winner
from benchmarks._speak import add_output_options, listed, publish, say
from benchmarks.table_error import make_table
from hwnas.cli.display import ConsoleDisplay
from hwnas.data import load_dataset
from hwnas.search import Budget, best_network
from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.search.evolving.fitness import FitnessDistribution
from hwnas.search.feasibility import budgets_of_part, repair
from hwnas.search.pareto import by_volume
from hwnas.spaces import SearchSpace, nse_space
from hwnas.tables.calibrated import load_model
from hwnas.tables.workbench import Workbench
from hwnas.training import Batches, Recipe
from latency_tables import load_table, save_table
from latency_tables.additive import Factors
from latency_tables.arrays import Floats
from profilers.runtimes import make_profiler
from profilers.where import ThisMachine

_NETWORKS = 2000
_BATCH = 32


def bookkeeping() -> dict[str, float]:
    """Seconds and megabytes of a round without training, and seconds of the best network of the whole space."""
    space, rng = nse_space("nse-72"), np.random.default_rng(0)
    cost = space.additive({op: float(rng.random()) for op in space.all_ops})
    started = time.perf_counter()
    active = Active.first(space, Effort().active, rng)
    part = active.part(space)
    (free,) = budgets_of_part(part, [Budget("ms", np.inf, cost)])
    budget = Budget("ms", float(np.quantile(free.cost(part.sample(rng, 1000)), 0.25)), cost)
    own = budgets_of_part(part, [budget])
    distribution = FitnessDistribution(part, own)
    networks = repair(part, distribution.sample(rng, _NETWORKS), own, rng)
    assert len(networks) == _NETWORKS
    front = by_volume(rng.random(_NETWORKS), own[0].cost(networks), 0.0, budget.limit)
    after = active.next(part.to_whole(networks[front]), distribution.fitness(), Effort().survivors)
    assert after is not None
    seconds = time.perf_counter() - started
    logs: dict[tuple[int, ...], Floats] = {(gene,): rng.normal(size=2) for gene in range(len(space.cardinalities))}
    started = time.perf_counter()
    answer = best_network(space, Factors(space.cardinalities, logs), [budget])
    assert answer.proven()
    exact = time.perf_counter() - started
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"bookkeeping_seconds": seconds, "bookkeeping_peak_mb": peak_mb, "exact_seconds": exact}


def budget_ms(space: SearchSpace, table: Path) -> Budget:
    """Half of all random networks keep it: they have two branches per place on average."""
    model = load_model(table, load_table(table), space)[0]
    return Budget.latency(model, float(np.median(model.predict(space.sample(np.random.default_rng(0), 1000)).ms)))


def one_contest(job: tuple[int, str], options: argparse.Namespace, table: Path) -> Winner:
    """One method of one seed, in one thread."""
    torch.set_num_threads(1)
    seed, method = job
    data = load_dataset(options.data, test_source=options.test_data, size=32, limit=options.limit)
    space = nse_space("nse-32", data.num_classes)
    contest = Contest(
        space,
        budget_ms(space, table),
        Batches(data, _BATCH),
        options.epochs,
        Recipe(options.train_epochs, batch=_BATCH, learning_rate=3e-3),
        seed,
        options.out / f"seed-{seed}",
        Effort(),
    )
    return contest.winner(method)


def search_figures(winners: Mapping[tuple[int, str], Winner], over: int) -> dict[str, float]:
    """Means of test accuracy by method, and in how many seeds the front grew."""
    figures: dict[str, float] = {}
    for method in dict.fromkeys(method for _, method in winners):
        mine = [winner for (_, other), winner in winners.items() if other == method]
        name = "winner" if method == "nse" else method.replace("-", "_")
        figures[f"{name}_test_pct"] = float(np.mean([one.test_pct for one in mine]))
        figures[f"{name}_test_pct_min"] = min(one.test_pct for one in mine)
        if mine[0].volumes:
            grew = "hypervolume_grew" if method == "nse" else f"hypervolume_grew.{method}"
            figures[grew] = sum(one.volumes[-1] > one.volumes[0] for one in mine)
            figures[f"hypervolume_first.{method}"] = float(np.mean([one.volumes[0] for one in mine]))
            figures[f"hypervolume_last.{method}"] = float(np.mean([one.volumes[-1] for one in mine]))
    return figures | {"over_budget": over, "steps_over_budget": sum(one.over for one in winners.values())}


def main() -> None:
    """The part that was asked for."""
    options = _options()
    if options.part == "bookkeeping":
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            figures = pool.submit(bookkeeping).result()
        publish("evolving_space", figures, {"space": "nse-72", "active": Effort().active}, 0, {}, options.save)
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.out = options.out or Path(scratch)
        _search(options)


def _search(options: argparse.Namespace) -> None:
    table = options.out / "table"
    bench = Workbench(nse_space("nse-32"), ThisMachine(make_profiler("onnxruntime", 1, 1)), options.out / "bench")
    if not (table / "networks.csv").exists():
        with ConsoleDisplay() as display:
            made = make_table(bench, 0, display)
        save_table(made.table, table)
        made.calibrated.save(table, bench.space)
    seeds = range(options.seed, options.seed + options.seeds)
    jobs = [(seed, method) for seed in seeds for method in options.methods]
    winners: dict[tuple[int, str], Winner] = {}
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        answers = {job: pool.submit(partial(one_contest, options=options, table=table), job) for job in jobs}
        for job, answer in answers.items():
            winners[job] = answer.result()
            say(f"{job}: {winners[job]}")
    limit, archs = budget_ms(bench.space, table).limit, [bench.space.from_text(one.arch) for one in winners.values()]
    measured = bench.networks_ms(load_table(table), np.array(archs), "winners")
    settings: dict[str, Any] = {name: getattr(options, name) for name in ("limit", "epochs", "train_epochs", "seeds")}
    settings |= {"data": Path(options.data).name, "budget_ms": limit, "effort": asdict(Effort())}
    details = {
        f"{seed} {method}": asdict(winner) | {"measured_ms": ms}
        for ((seed, method), winner), ms in zip(winners.items(), measured.tolist(), strict=True)
    }
    figures = search_figures(winners, int((measured > limit).sum()))
    publish("evolving_space", figures, settings, options.seed, details, options.save)
    if options.save is not None and "nse" in options.methods:
        picture = options.out / f"seed-{options.seed}" / "nse" / "evolution.png"
        copyfile(picture, options.save.with_suffix(".png"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["search", "bookkeeping"], default="search")
    parser.add_argument("--methods", default="all", help=f"{', '.join(METHODS)}; several with commas between")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--data", default="digits", help="as for `hwnas run`")
    parser.add_argument("--test-data", help="as for `hwnas run`")
    parser.add_argument("--limit", type=int, help="as for `hwnas run`")
    parser.add_argument("--epochs", type=int, default=50, help="of each supernet; NSE divides them among its rounds")
    parser.add_argument("--train-epochs", type=int, default=6, help="of each finalist")
    parser.add_argument("--workers", type=int, default=2, help="methods at a time, one core each")
    parser.add_argument("--out", type=Path, help="table and trainings; kept, and gone on with")
    add_output_options(parser)
    options = parser.parse_args()
    options.methods = listed(parser, "method", options.methods, METHODS)
    return options


if __name__ == "__main__":
    main()
