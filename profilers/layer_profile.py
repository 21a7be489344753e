"""How long the layers of whole networks take by the runtime's own profile, beside a fixed reference network."""

from __future__ import annotations

import random
import time
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
from profilers.protocol import OPS_PROTOCOL, bracket_us

LAYER_RUNS, LAYER_ROUNDS = 20, 2


@dataclass(frozen=True)
class LayerVisit:
    """The layers of one network, and the fastest runs of the reference network just before and just after."""

    started_unix_s: float
    layers: tuple[LayerTime, ...]
    reference_us: tuple[float, float]


@dataclass(frozen=True)
class LayerRound:
    """One visit to every model of a plan, by its key."""

    visits: Mapping[str, LayerVisit]


@dataclass(frozen=True)
class ProfileLayers(Request):
    """One round of profiled runs of every model of the plan in the folder `plan`; answers `LayerRound`."""

    plan: str
    runs: int
    round: int

    def work(self, profiler: Profiler, progress: Progress) -> dict[str, Any]:
        """Profile them; what this round builds, the next ones start."""
        profiler.keep_engines(Path(self.plan) / "engines")
        return asdict(profile_here(read_plan(Path(self.plan)), profiler, self.runs, self.round, progress))


def profile_layers(
    plan: Plan, profiler: Profiler, rounds: int = LAYER_ROUNDS, runs: int = LAYER_RUNS, progress: Progress = silent
) -> list[LayerRound]:
    """Profile every model of a plan once per round, in a new order each round.

    Every round has a fresh process, under the same conditions as `measure_plan`. Raises `ProfilerError` where the
    runtime does not tell the times of layers, or refuses a model.
    """
    spec = profiler.spec
    if spec is None or not profiler.quick_to_start or not isinstance(plan.folder, Path):
        return [profile_here(plan, profiler, runs, round_, progress) for round_ in range(rounds)]
    folder = str(plan.folder.resolve())
    asked = (ProfileLayers(spec, folder, runs, round_) for round_ in range(rounds))
    return [from_plain(LayerRound, run_isolated(request, progress)) for request in asked]


def profile_here(plan: Plan, profiler: Profiler, runs: int, round_: int = 0, progress: Progress = silent) -> LayerRound:
    """One round in this process."""
    models = list(plan.models)
    random.Random(round_).shuffle(models)
    visits = {}
    with quiet(profiler.target().threads), profiler.open(plan.reference()) as reference:
        for i, model in enumerate(models):
            progress(i, len(models), f"layers: {model.key}")
            engine, started = profiler.build(plan.model(model)), time.time()
            before = bracket_us(reference, OPS_PROTOCOL)
            layers = profiler.layer_times(engine, runs)
            visits[model.key] = LayerVisit(started, layers, (before, bracket_us(reference, OPS_PROTOCOL)))
    return LayerRound(visits)
