"""How the time of whole networks divides over their layers: the runtime's own profile, in fresh processes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from latency_tables.progress import Progress, silent
from latency_tables.storage.serialise import from_plain
from profilers._base import Profiler
from profilers.device.machine import quiet
from profilers.engines.layers import LayerTime
from profilers.isolated import Request, run_isolated
from profilers.plan import Plan, read_plan

LAYER_RUNS, LAYER_ROUNDS = 10, 2


@dataclass(frozen=True)
class PlanLayers:
    """The layers of every model of a plan, by its key, with their times."""

    of: Mapping[str, tuple[LayerTime, ...]]


@dataclass(frozen=True)
class ProfileLayers(Request):
    """One round of profiled runs of every model of the plan in the folder `plan`; answers `PlanLayers`."""

    plan: str
    runs: int
    round: int

    def work(self, profiler: Profiler, progress: Progress) -> dict[str, Any]:
        """Profile them; what this round builds, the next ones start."""
        profiler.keep_engines(Path(self.plan) / "engines")
        return asdict(profile_here(read_plan(Path(self.plan)), profiler, self.runs, self.round, progress))


def profile_layers(
    plan: Plan, profiler: Profiler, rounds: int = LAYER_ROUNDS, runs: int = LAYER_RUNS, progress: Progress = silent
) -> list[PlanLayers]:
    """Profile every model of a plan once per round, in a new order each round.

    Every round has a fresh process, under the same conditions as `measure_plan`. Raises `ProfilerError` where the
    runtime does not tell the times of layers, or refuses a model.
    """
    spec = profiler.spec
    if spec is None or not profiler.quick_to_start or not isinstance(plan.folder, Path):
        return [profile_here(plan, profiler, runs, round_, progress) for round_ in range(rounds)]
    folder = str(plan.folder.resolve())
    asked = (ProfileLayers(spec, folder, runs, round_) for round_ in range(rounds))
    return [from_plain(PlanLayers, run_isolated(request, progress)) for request in asked]


def profile_here(plan: Plan, profiler: Profiler, runs: int, round_: int = 0, progress: Progress = silent) -> PlanLayers:
    """One round in this process."""
    models = list(plan.models)
    random.Random(round_).shuffle(models)
    found = {}
    with quiet(profiler.target().threads):
        for i, model in enumerate(models):
            progress(i, len(models), f"layers: {model.key}")
            found[model.key] = profiler.layer_times(profiler.build(plan.model(model)), runs)
    return PlanLayers(found)
