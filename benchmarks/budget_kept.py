"""Are budgets kept and used? `python -m benchmarks.budget_kept --space mbconv-32 --budgets 30 --seed 1 --json`.

Thirty budgets over the range of the space, a search under each, and the winners measured. The winner has the most
capacity (MACs and parameters stand in for an accuracy: a search against them leans on the latency model as hard as any)
among the networks whose upper latency bound is inside the budget, never one of the calibration. As in a run, a winner
that the device finds over its budget corrects the model and another is chosen, at most three times; what is chosen in
the end is measured once more, and that is what counts.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._speak import add_output_options, publish
from benchmarks.table_error import Task, make_table
from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.cli.display import ConsoleDisplay
from hwnas.search import Evaluated, NSGA2Strategy, Problem, fastest, search
from hwnas.spaces import Population, SearchSpace
from hwnas.tables.workbench import Workbench
from latency_tables import LatencyModel, LatencyTable

EVALUATIONS = 20_000
ATTEMPTS = 3


class Capacity(AccuracyEstimator):
    """More multiply-accumulates and parameters, more of it; between 0 and 1 over what random networks have."""

    def __init__(self, space: SearchSpace, table: LatencyTable):
        self._macs = space.additive({row.op: row.cost.macs for row in table.rows})
        self._params = space.additive({row.op: row.cost.params for row in table.rows})
        sample = self._raw(space.sample(np.random.default_rng(0), 1000))
        self._low, self._high = sample.min() - 1, sample.max() + 1

    def _raw(self, population: Population) -> np.ndarray:
        return np.asarray(np.log(self._macs(population)) + 0.3 * np.log(self._params(population)))

    def estimate(self, population: Population) -> AccuracyEstimate:
        """A stand-in for accuracy, [n]."""
        mean = np.clip((self._raw(population) - self._low) / (self._high - self._low), 0, 1)
        return AccuracyEstimate(mean, np.zeros(len(population)))


def winners_under(budgets: np.ndarray, found: Evaluated, latency: LatencyModel) -> np.ndarray:
    """The genotype with the most capacity under each budget by the model as it stands, [budgets, genes]."""
    upper = latency.predict(found.population).upper_ms
    best = [np.where(upper <= budget, found.accuracy, -1.0).argmax() for budget in budgets]
    return found.population[best]


def confirmed(
    bench: Workbench, table: LatencyTable, budgets: np.ndarray, found: Evaluated, latency: LatencyModel
) -> tuple[np.ndarray, int]:
    """The winners after at most `ATTEMPTS` corrections by the device, and how many were over at the first attempt."""
    winners = winners_under(budgets, found, latency)
    pending, first = np.arange(len(budgets)), 0
    for attempt in range(1, ATTEMPTS + 1):
        measured_ms = bench.networks_ms(table, winners[pending], f"attempt-{attempt}")
        over = measured_ms > budgets[pending]
        first = int(over.sum()) if attempt == 1 else first
        if not over.any() or attempt == ATTEMPTS:
            break
        for arch, ms in zip(winners[pending][over], measured_ms[over], strict=True):
            latency = latency.corrected(arch, float(ms))
        pending = pending[over]
        winners[pending] = winners_under(budgets[pending], found, latency)
    return winners, first


def main() -> None:
    """Parse, search, measure, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mbconv-32")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budgets", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="five budgets")
    parser.add_argument("--out", type=Path, help="keep models and journals here and resume from them")
    add_output_options(parser)
    options = parser.parse_args()
    if options.quick:
        options.budgets = 5
    with tempfile.TemporaryDirectory() as scratch:
        task = Task(options.space, options.runtime, options.threads, "fp32", options.out or Path(scratch))
        display, bench = ConsoleDisplay(), task.bench()
        made = make_table(bench, options.seed, display)
        latency, space = made.calibrated.model, bench.space
        problem = Problem(space, Capacity(space, made.table), latency)
        quickest = fastest(space, latency)[None]
        with display.stage("search") as progress:
            strategy = NSGA2Strategy(problem, seed=options.seed, population=200, warm_start=quickest)
            seen = search(problem, strategy, EVALUATIONS, progress).uninterrupted()
        calibration = {space.to_text(a) for a in made.calibrated.archs}
        fresh = np.array([space.to_text(a) not in calibration for a in seen.population])
        found = seen[fresh]
        upper = found.front().upper_ms
        budgets = np.linspace(upper.min(), upper.max(), options.budgets + 1)[1:] * (1 + 1e-9)
        display.say("the winners, measured ...")
        winners, over_at_first = confirmed(bench, made.table, budgets, found, latency)
        with display.stage("the winners, measured once more") as progress:
            measured_ms = bench.networks_ms(made.table, winners, "winners", progress)
        with display.stage("again: the noise floor") as progress:
            again_ms = bench.networks_ms(made.table, winners, "winners-again", progress)
    use = measured_ms / budgets
    figures = {
        "over_budget": float((use > 1).sum()),
        "over_at_first_attempt": float(over_at_first),
        "worst_over_pct": float(100 * (use.max() - 1)),
        "mean_use_pct": float(100 * use.mean()),
        "noise_floor_pct": float(100 * np.abs(again_ms / measured_ms - 1).mean()),
        "budgets": float(len(budgets)),
    }
    details = {
        "budgets_ms": budgets.tolist(),
        "measured_ms": measured_ms.tolist(),
        "predicted_ms": latency.predict(winners).ms.tolist(),
        "winners": [space.to_text(w) for w in winners],
    }
    settings = {name: getattr(options, name) for name in ("space", "runtime", "threads", "budgets")}
    publish("budget_kept", figures, settings, options.seed, details, options.save)


if __name__ == "__main__":
    main()
