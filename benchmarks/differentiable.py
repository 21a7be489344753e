"""Searching by a distribution that budgets are projected on: `python -m benchmarks.differentiable --json`.

nb201 (`--space nb201 --public`): the scores that public supernets gave to all 15,625 cells stand for a supernet, and
nothing is trained. Each kind of distribution looks up at most 300 scores inside a budget: the 25th, 50th or 75th
percentile of MACs. Every seed has its own supernet, in turn of four recipes with three runs each. regret: points of
score between the best cell inside the budget and the best one looked up. lookups: how many until that one. gp-ucb and
evolution stand beside, with the same budgets, scores and seeds.

nasbench-macro: a distribution and the weights of a supernet learn together on CIFAR-10 inside a budget of MACs or of
ms, and the most probable network is looked up in the benchmark. The rival is a supernet with uniform paths, trained
with as many passes of a batch through a network, and searched by NSGA-II. regret: points of trained accuracy below the
best network inside the budget.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from tempfile import gettempdir
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks._distribution_trainings import KINDS as TRAINED_KINDS
from benchmarks._distribution_trainings import macro_figures, run_training, trainings
from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks._supernet_scores import PERCENTILES, RECIPES, ScoredSpace, public_scores
from hwnas.accuracy import TabularBenchmark
from hwnas.search import Budget, Problem, make_strategy, search
from latency_tables.additive import Factors

KINDS = ("softmax", "dirichlet", "gaussian", "pruned")
RIVALS = ("gp-ucb", "evolution")
_LOOK_UPS = 300
Job = TypeVar("Job")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Trial:
    """One search: by whom, inside which percentile of MACs, from which seed."""

    strategy: str
    percentile: int
    seed: int


@dataclass(frozen=True)
class Outcome:
    """Points missed, after how many look-ups the best one came, and whether any looked up was over the budget."""

    regret_points: float
    lookups: int
    over_budget: int


@cache
def _bench(folder: Path) -> tuple[ScoredSpace, Factors]:
    """With costs as the sum has them, so that what is inside a budget is inside for all."""
    read = public_scores(folder)
    cost = read.additive_cost()
    return replace(read, cost=cost(read.population)), cost


def run_trial(trial: Trial, folder: Path) -> Outcome:
    """Search, and hold it against all that is inside the budget."""
    torch.set_num_threads(1)
    bench, cost = _bench(folder)
    recipe = RECIPES[trial.seed % len(RECIPES)]
    name = bench.runs(recipe)[trial.seed // len(RECIPES) % len(bench.runs(recipe))]
    budget = Budget("MACs", float(np.percentile(bench.cost, trial.percentile)), cost)
    problem = Problem(bench.space, TabularBenchmark(bench.table, name), budgets=(budget,))
    with threadpool_limits(1):
        found = search(problem, make_strategy(trial.strategy, problem, seed=trial.seed), _LOOK_UPS)
    seen = found.accuracy[:_LOOK_UPS]
    best = bench.scores[name][bench.inside(trial.percentile)].max()
    over = int((bench.cost[bench.table.rows(found.population)] > budget.limit).sum())
    return Outcome(100 * float(best - seen.max()), int(seen.argmax()) + 1, over)


def trials(seed: int, seeds: int, strategies: tuple[str, ...]) -> Iterator[Trial]:
    """All of them, strategy by strategy."""
    for strategy, percentile, one in product(strategies, PERCENTILES, range(seed, seed + seeds)):
        yield Trial(strategy, percentile, one)


def figures(outcomes: dict[Trial, Outcome]) -> dict[str, float]:
    """Means of each strategy; the worst mean over a budget of the kinds that have a bar is the main figure."""
    found: dict[str, float] = {}
    for strategy in dict.fromkeys(trial.strategy for trial in outcomes):
        mine = [outcome for trial, outcome in outcomes.items() if trial.strategy == strategy]
        found[f"regret_points.{strategy}"] = float(np.mean([one.regret_points for one in mine]))
        found[f"found_best_pct.{strategy}"] = 100 * float(np.mean([one.regret_points <= 1e-9 for one in mine]))
        found[f"lookups.{strategy}"] = float(np.median([one.lookups for one in mine]))
    by_budget = [
        np.mean([o.regret_points for t, o in outcomes.items() if (t.strategy, t.percentile) == pair])
        for pair in product(KINDS, PERCENTILES)
        if any((t.strategy, t.percentile) == pair for t in outcomes)
    ]
    worst = {"public_regret_points": float(max(by_budget))}
    return worst | found | {"over_budget": float(sum(one.over_budget for one in outcomes.values()))}


def main() -> None:
    """Every kind, budget and seed; then the means."""
    options = _options()
    save = (options.seed, options.save)
    if options.space == "nb201":
        outcomes = dict(_all(options, trials(options.seed, options.seeds, (*KINDS, *RIVALS)), run_trial))
        settings = {"space": "nb201", "scores": "public", "look_ups": _LOOK_UPS, "seeds": options.seeds}
        details = {str(asdict(trial)): asdict(one) for trial, one in outcomes.items()}
        publish("differentiable", figures(outcomes), settings, save[0], details, save[1])
    else:
        jobs = trainings(options.seed, options.seeds, options.passes, options.size, tuple(options.kinds))
        found = dict(_all(options, jobs, partial(run_training, work=options.work)))
        settings = {"space": "nasbench-macro", "passes": options.passes, "size": options.size, "seeds": options.seeds}
        answers = {job.name: {budget: asdict(one) for budget, one in of.items()} for job, of in found.items()}
        publish("differentiable", macro_figures(found), settings, save[0], answers, save[1])


def _all(
    options: argparse.Namespace, jobs: Iterable[Job], run: Callable[[Job, Path], Answer]
) -> Iterator[tuple[Job, Answer]]:
    with ProcessPoolExecutor(options.workers) as pool:
        answers = {job: pool.submit(run, job, options.data_folder) for job in jobs}
        for job, answer in answers.items():
            say(f"{job}: {answer.result()}")
            yield job, answer.result()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=["nb201", "nasbench-macro"], default="nb201")
    parser.add_argument("--public", action="store_true", help="scores of public supernets, the only ones of nb201")
    parser.add_argument("--seeds", type=int, help="how many seeds (10 of nb201, 3 of nasbench-macro)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--kinds", nargs="+", choices=list(TRAINED_KINDS), default=list(TRAINED_KINDS))
    parser.add_argument("--passes", type=int, default=3500, help="batches of 64 through a network, forth and back")
    parser.add_argument("--size", type=int, default=16, help="pixels of the images that nasbench-macro trains with")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "hwnas-differentiable", help="goes on there")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="searches at a time, one core each")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    add_output_options(parser)
    options = parser.parse_args()
    options.seeds = options.seeds or (10 if options.space == "nb201" else 3)
    return options


if __name__ == "__main__":
    main()
