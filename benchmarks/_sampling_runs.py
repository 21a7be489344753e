"""One strategy, one seed, one benchmark whose truth is known: what it found, and when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._nas_data import TEST, device_budget, load
from hwnas.accuracy import TabularBenchmark
from hwnas.search import Budget, PredictorStrategy, Problem, make_strategy, search
from hwnas.search.budget import feasible

MARKS = (50, 100)


@dataclass(frozen=True)
class Task:
    """One run."""

    space: str
    dataset: str
    strategy: str
    queries: int
    seed: int
    device: str | None
    percentile: float
    folder: str


@dataclass(frozen=True)
class Outcome:
    """What one run found. Accuracies in percent, one for each network queried."""

    to_optimum: int | None
    optimum: float
    validation: list[float]
    test: list[float]
    over_budget: int
    seconds: float
    fit_seconds: float

    def oracle(self, queries: int) -> float:
        """The best test accuracy among the first queries."""
        return max(self.test[:queries])

    def selected(self, queries: int) -> float:
        """Test accuracy of the network with the best validation accuracy among the first queries."""
        return self.test[int(np.argmax(self.validation[:queries]))]


@cache
def _benchmark(space: str, dataset: str, folder: str) -> TabularBenchmark:
    return load(space, dataset, Path(folder))


@cache
def _budgets(space: str, dataset: str, folder: str, device: str, percentile: float) -> tuple[Budget, ...]:
    return (device_budget(_benchmark(space, dataset, folder), device, percentile, Path(folder)),)


def run_one(task: Task) -> Outcome:
    """One strategy, one seed, on one core."""
    torch.set_num_threads(1)
    benchmark = _benchmark(task.space, task.dataset, task.folder)
    budgets: tuple[Budget, ...] = ()
    if task.device is not None:
        budgets = _budgets(task.space, task.dataset, task.folder, task.device, task.percentile)
    space = benchmark.table.space
    start = time.perf_counter()
    problem = Problem(space, benchmark, budgets=budgets)
    strategy = make_strategy(task.strategy, problem, seed=task.seed)
    spent = _count_fitting(strategy)
    found = search(problem, strategy, task.queries).uninterrupted()
    seconds = time.perf_counter() - start
    everything = benchmark.population[feasible(budgets, benchmark.population)]
    optimum = benchmark.estimate(everything).mean.max()
    reached = np.flatnonzero(found.accuracy[: task.queries] == optimum)
    return Outcome(
        to_optimum=int(reached[0]) + 1 if len(reached) else None,
        optimum=100 * float(optimum),
        validation=(100 * found.accuracy[: task.queries]).tolist(),
        test=(100 * benchmark.look_up(found.population[: task.queries], TEST)).tolist(),
        over_budget=int((~feasible(budgets, found.population)).sum()),
        seconds=seconds,
        fit_seconds=sum(spent),
    )


def _count_fitting(strategy: Any) -> list[float]:
    """Seconds that go to fitting the predictor, call by call; nothing for strategies without one."""
    spent: list[float] = []
    if isinstance(strategy, PredictorStrategy):
        fit = strategy.predictor.fit

        def timed(*args: Any) -> Any:
            start = time.perf_counter()
            fitted = fit(*args)
            spent.append(time.perf_counter() - start)
            return fitted

        strategy.predictor.fit = timed  # type: ignore[method-assign, assignment]
    return spent


def figures(outcomes: Sequence[Outcome], queries: int) -> dict[str, float]:
    """The published figures of one strategy on one data set."""
    reached = [o.to_optimum for o in outcomes]
    values: dict[str, float] = {
        # A run that never got there counts as one query more than it was allowed.
        "queries_to_val_optimum_median": float(np.median([r or queries + 1 for r in reached])),
        "reached_optimum_pct": 100 * float(np.mean([r is not None for r in reached])),
        "over_budget": sum(o.over_budget for o in outcomes),
        "seconds_per_run": float(np.mean([o.seconds for o in outcomes])),
        "fit_share_pct": 100 * sum(o.fit_seconds for o in outcomes) / sum(o.seconds for o in outcomes),
    }
    for mark in (m for m in MARKS if m <= queries):
        for name, of in (("oracle", Outcome.oracle), ("selected", Outcome.selected)):
            test = [of(o, mark) for o in outcomes]
            values[f"{name}_test_at_{mark}"] = float(np.mean(test))
            values[f"{name}_test_at_{mark}_se"] = (
                float(np.std(test, ddof=1) / len(test) ** 0.5) if len(test) > 1 else 0.0
            )
    return values
