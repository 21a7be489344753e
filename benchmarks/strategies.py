"""The main job's search by every strategy, on one profile and one supernet per seed: `python -m benchmarks.strategies`.

Each strategy has its own defaults: those made for thousands of evaluations search the predictor, the others ask the
supernet. What counts is the network that the job would ship: finalists are trained, validation chooses, and its mean
probability of the true class on validation and its test accuracy are reported (means over the seeds).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._speak import add_output_options, listed, publish, say
from hwnas.cli.display import ConsoleDisplay
from hwnas.run import Run, Settings
from hwnas.search.strategies.by_name import STRATEGIES

_COLUMNS = ("validation_probability_pct", "test_accuracy_pct", "seconds")


def shipped(settings: Settings, folder: Path) -> dict[str, float | str]:
    """The network that this strategy would ship from the run in `folder`; what is done there already is not redone."""
    with ConsoleDisplay() as display, Run(settings, folder, display) as run:
        run.branches.feasible({})
        _ = run.accuracy_model.pairs  # the seconds below are those of searching and training alone
        began = time.monotonic()
        choice = run.branches.choose({})
        winner = run.branches.best(run.branches.finalists(choice)).arch
        seconds = time.monotonic() - began
        return {
            "arch": run.inputs.space.to_text(winner),
            "validation_probability_pct": 100 * run.training.train(winner).true_class_probability,
            "test_accuracy_pct": 100 * run.branches.first.deployment.test_accuracy(winner),
            "upper_ms": float(run.profiling.latency().predict(winner[None]).upper_ms[0]),
            "budget_ms": run.branches.budget.ms,
            "seconds": seconds,
        }


def main() -> None:
    """Parse, run every strategy on every seed, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", default="all", help=f"{', '.join(STRATEGIES)}; several with commas between")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--quick", action="store_true", help="less training: 2 epochs, 20 pairs, 4 finalists")
    parser.add_argument("--out", type=Path, help="keep the run folders here and resume from them")
    add_output_options(parser)
    options = parser.parse_args()
    names = listed(parser, "strategy", options.strategy, tuple(STRATEGIES))
    effort: dict[str, Any] = (
        {"supernet_epochs": 2, "pairs": 20, "train_epochs": 2, "finalists": 4} if options.quick else {}
    )
    found: dict[str, list[dict[str, float | str]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seed, options.seed + options.seeds):
            folder = (options.out or Path(scratch)) / f"seed-{seed}"
            settings = Settings(seed=seed, **effort)
            for name in names:
                found[name].append(shipped(replace(settings, strategy=name), folder))
                said = ", ".join(f"{column} {found[name][-1][column]:.4g}" for column in _COLUMNS)
                say(f"seed {seed}, {name}: {said}")
    figures = {
        f"{name}_{column}": float(np.mean([float(one[column]) for one in of_seeds]))
        for name, of_seeds in found.items()
        for column in _COLUMNS
    }
    settings_used = {"strategies": names, "seeds": options.seeds, **effort}
    publish("strategies", figures, settings_used, options.seed, found, options.save)


if __name__ == "__main__":
    main()
