"""Searching by a distribution that budgets are projected on: `python -m benchmarks.differentiable --public --json`.

nb201: the scores that public supernets gave to all 15,625 cells stand for a supernet, so that nothing is trained. Each
kind of distribution looks up at most 300 scores inside a budget: the 25th, 50th or 75th percentile of MACs. Every seed
has its own supernet, in turn of four recipes with three runs each.

regret: points of score between the best cell inside the budget and the best one looked up. lookups: how many until that
one. gp-ucb and evolution stand beside, with the same budgets, scores and seeds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks._speak import DATA_FOLDER, add_output_options, publish, say
from benchmarks._supernet_scores import PERCENTILES, RECIPES, ScoredSpace, public_scores
from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, Problem, make_strategy, search
from hwnas.spaces import Population
from latency_tables.additive import Factors

KINDS = ("softmax", "dirichlet", "gaussian", "pruned")
RIVALS = ("gp-ucb", "evolution")
_LOOK_UPS = 300


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


class Scores(AccuracyEstimator):
    """What a supernet scored."""

    def __init__(self, bench: ScoredSpace, name: str):
        self.bench, self.name = bench, name

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Looked up, without noise."""
        mean = self.bench.scores[self.name][self.bench.table.rows(population)]
        return AccuracyEstimate(mean, np.zeros(len(mean)))


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
    problem = Problem(bench.space, Scores(bench, name), budgets=(budget,))
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
    outcomes = {}
    with ProcessPoolExecutor(options.workers) as pool:
        jobs = {
            trial: pool.submit(run_trial, trial, options.data_folder)
            for trial in trials(options.seed, options.seeds, (*KINDS, *RIVALS))
        }
        for trial, job in jobs.items():
            outcomes[trial] = one = job.result()
            where = f"{trial.strategy:<10} {trial.percentile} % of MACs, seed {trial.seed}"
            say(f"{where}: {one.regret_points:.2f} points missed, best after {one.lookups}")
    settings = {"space": "nb201", "scores": "public", "look_ups": _LOOK_UPS, "seeds": options.seeds}
    details = {str(asdict(trial)): asdict(one) for trial, one in outcomes.items()}
    publish("differentiable", figures(outcomes), settings, options.seed, details, options.save)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=["nb201"], default="nb201")
    parser.add_argument("--public", action="store_true", required=True, help="scores of public supernets")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="searches at a time, one core each")
    parser.add_argument("--data-folder", type=Path, default=DATA_FOLDER)
    add_output_options(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
