"""Two sources of tables at equal seconds: `python -m benchmarks.table_sources --space mbconv-112 --json`.

`ops`: every op built alone and timed. `networks`: the layers of whole networks, by the runtime's own profile. Both are
calibrated on whole networks, and predict the same fresh ones. Rounds of ops, of networks and of profiles take turns, so
that all see the same device. From the same measurements it is computed what fewer rounds and fewer networks would have
given: `SOURCE_mape_pct` is a table as it ships, `SOURCE_SECONDSs_mape_pct` the best split of so many seconds. Which
split is best is seen on the fresh networks, for both sources alike.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._speak import add_output_options, publish, say
from benchmarks._timing import timed
from hwnas.lowering.op_models import plan_networks, plan_ops
from hwnas.spaces import Population, SearchSpace, load_space
from hwnas.spaces.sampling import networks_of_every_op, random_networks
from hwnas.tables.from_networks import table_from_networks
from latency_tables import HwnasError, LatencyModel, LatencyTable, Measurement, Target, quiet_reference_us, summarise
from latency_tables.arrays import Floats
from latency_tables.model.agreement import Agreement
from latency_tables.model.calibration import MINIMUM_NETWORKS
from latency_tables.storage.files import write_json
from latency_tables.storage.journal import read_journal
from latency_tables.storage.serialise import from_plain
from profilers import Plan, Profiler, table_from_plan
from profilers.isolated import run_isolated
from profilers.layer_profile import LAYER_ROUNDS, LAYER_RUNS, LayerRound, ProfileLayers
from profilers.profile import MeasureRound
from profilers.protocol import NETWORKS_PROTOCOL, OPS_PROTOCOL, Protocol, by_key
from profilers.runtimes import make_profiler

_SHIPPED = 100  # networks that a run calibrates on, of 80 to 120
_ROUNDS = {"ops": (1, 3, OPS_PROTOCOL.rounds), "networks": (1, LAYER_ROUNDS)}
_NETWORK_ROUNDS = (1, 2, NETWORKS_PROTOCOL.rounds)
_ALL_ROUNDS = range(NETWORKS_PROTOCOL.rounds)


@dataclass(frozen=True)
class Measured:
    """Everything that was measured: the last `fresh` networks of the plan are held out. Seconds of every round."""

    space: SearchSpace
    target: Target
    ops: Plan
    networks: Plan
    archs: Population
    fresh: int
    op_visits: list[Measurement]
    network_visits: list[Measurement]
    layers: list[LayerRound]
    writing_s: Mapping[str, float]
    rounds_s: Mapping[str, list[float]]

    @property
    def usable(self) -> int:
        """How many networks there are to make tables of."""
        return len(self.archs) - self.fresh

    def fixed_s(self, source: str, rounds: int) -> float:
        """Seconds before the first network: ops, or only what they cost in megabytes."""
        measuring = sum(self.rounds_s["ops"][:rounds]) if source == "ops" else 0.0
        return self.writing_s["ops"] + measuring

    def network_s(self, source: str, rounds: int, network_rounds: int) -> float:
        """Seconds of one more network: built, visited, and profiled where its layers are wanted."""
        profiling = sum(self.rounds_s["layers"][:rounds]) if source == "networks" else 0.0
        every = self.writing_s["networks"] + sum(self.rounds_s["networks"][:network_rounds]) + profiling
        return every / len(self.archs)

    def ratios(self, rounds: Sequence[int] = _ALL_ROUNDS) -> Floats:
        """Times of all networks over that of the reference network, from some rounds."""
        visits = [v for v in self.network_visits if v.round in rounds]
        done, quiet_us = by_key(visits), quiet_reference_us(visits)
        return np.array([summarise(done[model.key], quiet_us).lower_ratio for model in self.networks.models])

    def table(self, source: str, rounds: int, networks: int) -> LatencyTable:
        """The table that fewer rounds, or networks, would have given."""
        if source == "ops":
            visits = [v for v in self.op_visits if v.round < rounds]
            return table_from_plan(self.ops, self.target, visits, OPS_PROTOCOL)
        plan = replace(self.networks, models=self.networks.models[:networks])
        profiled, costs = self.layers[:rounds], self.ops.costs
        return table_from_networks(self.space, self.archs[:networks], plan, self.target, profiled, costs)


@dataclass(frozen=True)
class Split:
    """What a table is made of, the seconds that takes, and how it agrees with fresh networks."""

    source: str
    rounds: int
    networks: int
    network_rounds: int
    seconds: float
    uncalibrated: Agreement
    agreement: Agreement

    def describe(self) -> dict[str, Any]:
        """Plain values."""
        plain = {name: getattr(self, name) for name in ("source", "rounds", "networks", "network_rounds", "seconds")}
        return plain | self.agreement.figures() | {"uncalibrated_mape_pct": self.uncalibrated.mape_pct}


def measure(space: SearchSpace, profiler: Profiler, folder: Path, networks: int, fresh: int, seed: int) -> Measured:
    """Write all models, then measure: ops, networks and layers in turns."""
    precision, form = profiler.target().precision, profiler.int8_form
    ops, ops_s = timed(lambda: plan_ops(space, folder / "ops", precision, form))
    macs = {op: float(cost.macs) for op, cost in ops.costs.items()}
    held = random_networks(space, [seed, 2], fresh)
    archs = np.concatenate([networks_of_every_op(space, macs, seed, networks, exclude=held), held])
    plan, networks_s = timed(
        lambda: plan_networks(space, list(archs), folder / "networks", ops.reference(), precision, form)
    )
    assert profiler.spec is not None
    visits: dict[str, list[Measurement]] = {}
    rounds_s: dict[str, list[float]] = {"ops": [], "networks": [], "layers": []}
    layers: list[LayerRound] = []
    for round_ in range(max(OPS_PROTOCOL.rounds, NETWORKS_PROTOCOL.rounds)):
        for name, which, protocol in (("ops", ops, OPS_PROTOCOL), ("networks", plan, NETWORKS_PROTOCOL)):
            if round_ < protocol.rounds:
                visits[name], seconds = timed(_Round(which, profiler, folder / f"{name}.jsonl", protocol, round_))
                rounds_s[name].append(seconds)
        if round_ < LAYER_ROUNDS:
            asked = ProfileLayers(profiler.spec, str(plan.folder), LAYER_RUNS, round_)
            answer, seconds = timed(partial(run_isolated, asked))
            write_json(folder / f"layers-{round_}.json", answer)
            layers.append(from_plain(LayerRound, answer))
            rounds_s["layers"].append(seconds)
        say(f"round {round_ + 1}: " + ", ".join(f"{name} {s[-1]:.1f} s" for name, s in rounds_s.items()))
    writing_s = {"ops": ops_s, "networks": networks_s}
    both = visits["ops"], visits["networks"]
    return Measured(space, profiler.target(), ops, plan, archs, len(held), *both, layers, writing_s, rounds_s)


@dataclass(frozen=True)
class _Round:
    plan: Plan
    profiler: Profiler
    journal: Path
    protocol: Protocol
    round: int

    def __call__(self) -> list[Measurement]:
        """Measure it in a fresh process; all visits so far."""
        assert self.profiler.spec is not None
        folder, journal = str(self.plan.folder), str(self.journal)
        run_isolated(MeasureRound(self.profiler.spec, self.protocol, folder, journal, self.round))
        return [Measurement.from_json(record) for record in read_journal(self.journal).records]


def split(m: Measured, source: str, rounds: int, networks: int, network_rounds: int) -> Split | None:
    """A table of so many networks against the fresh ones; None where it lacks an op of theirs."""
    table = m.table(source, rounds, networks)
    ms_per_ratio = table.provenance.reference_us / 1e3
    seen, held = m.archs[:networks], m.archs[m.usable :]
    truth_ms = m.ratios()[m.usable :] * ms_per_ratio
    plain = LatencyModel(table, m.space)
    try:
        model = plain.calibrated(seen, m.ratios(range(network_rounds))[:networks] * ms_per_ratio)
        first, then = (Agreement(made.predict(held), truth_ms) for made in (plain, model))
    except HwnasError:
        return None
    seconds = m.fixed_s(source, rounds) + networks * m.network_s(source, rounds, network_rounds)
    return Split(source, rounds, networks, network_rounds, seconds, first, then)


def splits_within(m: Measured, source: str, seconds: float) -> Iterator[Split]:
    """Tables that so many seconds give: few rounds and many networks, or the other way round."""
    for rounds in _ROUNDS[source]:
        for network_rounds in _NETWORK_ROUNDS:
            left_s = seconds - m.fixed_s(source, rounds)
            networks = min(int(left_s / m.network_s(source, rounds, network_rounds)), m.usable)
            if networks >= MINIMUM_NETWORKS and (found := split(m, source, rounds, networks, network_rounds)):
                yield found


def as_shipped(m: Measured) -> dict[str, Split | None]:
    """Both sources as they ship, on the same networks; and layers of as many as take the seconds of the ops."""
    every, networks = NETWORKS_PROTOCOL.rounds, min(_SHIPPED, m.usable)
    alone = split(m, "ops", OPS_PROTOCOL.rounds, networks, every)
    assert alone is not None
    left_s = alone.seconds - m.fixed_s("networks", LAYER_ROUNDS)
    affordable = min(int(left_s / m.network_s("networks", LAYER_ROUNDS, every)), m.usable)
    return {
        "ops": alone,
        "networks": split(m, "networks", LAYER_ROUNDS, networks, every),
        "networks_equal_seconds": split(m, "networks", LAYER_ROUNDS, affordable, every),
    }


def compare(m: Measured, budgets: Sequence[float]) -> tuple[dict[str, float], dict[str, Any]]:
    """Figures of both sources, as they ship and within budgets of seconds."""
    named = as_shipped(m)
    for budget in budgets:
        for source in _ROUNDS:
            tried = splits_within(m, source, budget)
            named[f"{source}_{budget:g}s"] = min(tried, key=lambda s: s.agreement.mape_pct, default=None)
    # Every other round: the last ones are only of networks that had no quiet moment before.
    first, then = (m.ratios(rounds)[m.usable :] for rounds in (_ALL_ROUNDS[::2], _ALL_ROUNDS[1::2]))
    figures = {"noise_floor_pct": float(np.abs(then / first - 1).mean() * 100)}
    kept = {name: found for name, found in named.items() if found is not None}
    for name, found in kept.items():
        figures |= {
            f"{name}_mape_pct": found.agreement.mape_pct,
            f"{name}_within5_pct": found.agreement.within_pct(5),
            f"{name}_coverage_pct": found.agreement.coverage_pct,
            f"{name}_uncalibrated_mape_pct": found.uncalibrated.mape_pct,
            f"{name}_networks": found.networks,
            f"{name}_seconds": found.seconds,
        }
    return figures, {name: found.describe() for name, found in kept.items()}


def main() -> None:
    """Measure, compare, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mbconv-112")
    parser.add_argument("--networks", type=int, default=240, help="networks that tables may be made of")
    parser.add_argument("--fresh", type=int, default=30, help="networks to be predicted")
    parser.add_argument("--budgets", default="20,30,60", help="seconds, with commas between")
    parser.add_argument("--seed", type=int, default=1, help="which networks")
    parser.add_argument("--quick", action="store_true", help="60 and 12 networks of mbconv-32")
    parser.add_argument("--out", type=Path, help="keep models, journals and profiles here")
    add_output_options(parser)
    args = parser.parse_args()
    if args.quick:
        args.space, args.networks, args.fresh = "mbconv-32", 60, 12
    with tempfile.TemporaryDirectory() as scratch:
        profiler, folder = make_profiler("onnxruntime", 1, 1, "fp32"), args.out or Path(scratch)
        measured = measure(load_space(args.space), profiler, folder.resolve(), args.networks, args.fresh, args.seed)
    figures, details = compare(measured, [float(seconds) for seconds in args.budgets.split(",")])
    settings = {name: getattr(args, name) for name in ("space", "networks", "fresh", "budgets")}
    details |= {"writing_s": measured.writing_s, "rounds_s": measured.rounds_s}
    publish("table_sources", figures, settings, args.seed, details, args.save)


if __name__ == "__main__":
    main()
