"""The front that mixes precisions against that of fp32 alone: `python -m benchmarks.mixed_precision --json`.

Both tables are made once, as `hwnas run --precision any` makes them; supernet, predictor, searches and drops are those
of that run, by seed. The search in fp32 is the same on both sides. Networks spread over each front are then judged:
fp32 ones by the supernet, int8 ones as quantised files on the validation split. Hypervolumes are above the least
accuracy that was judged and below the largest latency of the fp32 front, over that of the fp32 front.
`equal_evaluations` gives each of the searches that are mixed half as many evaluations.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._speak import add_output_options, publish, say
from benchmarks.table_error import make_table
from hwnas.cli.display import ConsoleDisplay
from hwnas.run import Run, Settings
from hwnas.run.branches import Branch, mixed
from hwnas.run.front import spread
from hwnas.run.search import Choice
from hwnas.search import Problem, fastest, make_strategy, search
from hwnas.search.pareto import hypervolume
from hwnas.spaces import load_space
from hwnas.tables.workbench import Workbench
from latency_tables import LatencyModel
from latency_tables.arrays import Floats
from profilers.runtimes import make_profiler
from profilers.where import ThisMachine

_JUDGED = 12


@dataclass(frozen=True)
class _Front:
    """A front whose networks were judged: accuracy and milliseconds, each [n], and how many are not in fp32."""

    accuracy: Floats
    ms: Floats
    lower: int


def searched(run: Run, branch: Branch, latency: LatencyModel, evaluations: int) -> Choice:
    """The front of one precision, as the run's search finds it; no finalists."""
    problem = Problem(run.inputs.space, run.accuracy_model.predictor(), latency)
    warm_start = np.concatenate([fastest(run.inputs.space, latency)[None], run.accuracy_model.pairs.population])
    strategy = make_strategy("nsga2", problem, seed=run.settings.seed, warm_start=warm_start)
    front = search(problem, strategy, evaluations).front()
    return Choice((), front, (branch.precision,) * len(front), front)


def judged(run: Run, found: Choice, known: dict[tuple[str, tuple[int, ...]], float]) -> _Front:
    """Networks spread over a front, and how accurate their files are; `known` are those of other fronts."""
    chosen = spread(found.front.ms, _JUDGED)
    front, precisions = found.front[chosen], [found.front_precisions[i] for i in chosen]
    files = [(precision, tuple(arch)) for precision, arch in zip(precisions, front.population.tolist(), strict=True)]
    for precision, arch in files:
        if (precision, arch) not in known:
            known[precision, arch] = run.branches[precision].drop.accuracy(np.array(arch))
    return _Front(
        np.array([known[file] for file in files]), front.ms, sum(precision != "fp32" for precision in precisions)
    )


def compare(run: Run, latency: Mapping[str, LatencyModel]) -> dict[str, float]:
    """Hypervolumes of one seed over that of fp32 alone."""
    evaluations, drops = run.settings.evaluations, [branch.drop.of_score for branch in run.branches]
    every, half = (
        [searched(run, branch, latency[branch.precision], count) for branch in run.branches]
        for count in (evaluations, evaluations // len(drops))
    )
    found = {"fp32": every[0], "mixed": mixed(every, drops, 0), "equal_evaluations": mixed(half, drops, 0)}
    known: dict[tuple[str, tuple[int, ...]], float] = {}
    fronts = {name: judged(run, front, known) for name, front in found.items()}
    least = min(float(front.accuracy.min()) for front in fronts.values())
    most = float(every[0].front.ms.max())
    volumes = {name: hypervolume(front.accuracy, front.ms, least, most) for name, front in fronts.items()}
    return {
        **{f"{name}_ratio": volumes[name] / volumes["fp32"] for name in ("mixed", "equal_evaluations")},
        "lower_precision_pct": 100 * fronts["mixed"].lower / len(fronts["mixed"].ms),
        **{f"drop_points_{branch.precision}": 100 * drop for branch, drop in zip(run.branches, drops, strict=True)},
        "fastest_speedup": float(every[0].front.ms.min() / min(choice.front.ms.min() for choice in every)),
    }


def tables(space: str, runtime: str, precisions: list[str], folder: Path, seed: int) -> dict[str, LatencyModel]:
    """A calibrated latency model per precision."""
    made = {}
    for precision in precisions:
        device = ThisMachine(make_profiler(runtime, 1, 1, precision))
        say(f"the table of {precision}")
        with ConsoleDisplay() as display:
            made[precision] = make_table(Workbench(load_space(space), device, folder / precision), seed, display)
    return {precision: one.calibrated.model for precision, one in made.items()}


def main() -> None:
    """Measure, search, judge, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mbconv-32")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--quick", action="store_true", help="less training: 2 epochs, 20 pairs, 1000 evaluations")
    parser.add_argument("--out", type=Path, help="keep tables and run folders here and resume from them")
    add_output_options(parser)
    options = parser.parse_args()
    effort: dict[str, Any] = {"supernet_epochs": 2, "pairs": 20, "evaluations": 1000} if options.quick else {}
    settings, found = Settings(space=options.space, runtime=options.runtime, precision="any", **effort), []
    with tempfile.TemporaryDirectory() as scratch:
        folder, latency = options.out or Path(scratch), dict[str, LatencyModel]()
        for seed in range(options.seed, options.seed + options.seeds):
            with (
                ConsoleDisplay() as display,
                Run(replace(settings, seed=seed), folder / f"seed-{seed}", display) as run,
            ):
                latency = latency or tables(
                    options.space, options.runtime, list(run.branches.by_precision), folder, options.seed
                )
                found.append(compare(run, latency))
            say(f"seed {seed}: " + ", ".join(f"{name} {value:.4g}" for name, value in found[-1].items()))
    figures = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    for name in ("mixed", "equal_evaluations"):
        ratios = np.array([one[f"{name}_ratio"] for one in found])
        figures |= {f"{name}_front_below": float((ratios < 1).sum()), f"{name}_front_above": float((ratios > 1).sum())}
    settings_used = {"space": options.space, "runtime": options.runtime, "seeds": options.seeds, **effort}
    publish("mixed_precision", figures, settings_used, options.seed, {"seeds": found}, options.save)


if __name__ == "__main__":
    main()
