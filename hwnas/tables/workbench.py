"""A latency table and its calibration on a device: what runs, checks and benchmarks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwnas.lowering.op_models import op_cost, plan_networks, plan_ops, reference_network
from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.sampling import calibration_networks
from hwnas.tables.from_networks import table_from_networks
from latency_tables import (
    HwnasError,
    LatencyModel,
    LatencyTable,
    Measurement,
    ProfilerError,
    quiet_reference_us,
    summarise,
)
from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import digest_json
from latency_tables.storage.networks import save_networks
from profilers import Plan, Profiler, Protocol, table_from_plan
from profilers.layer_profile import profile_layers
from profilers.protocol import OPS_PROTOCOL, by_key, networks_protocol
from profilers.where import Device

_NO_LONGER_HELPS, _STEP = 0.97, 20


@dataclass(frozen=True)
class Calibrated:
    """Networks [n, genes], their measured milliseconds [n], and the latency model calibrated on them.

    `error_pct`: networks so far -> error on networks left out of the fit; why it stopped where it did.
    """

    archs: Population
    measured_ms: Floats
    model: LatencyModel
    error_pct: dict[int, float]

    def save(self, folder: Path, space: SearchSpace) -> None:
        """Keep the networks beside the table in `folder`."""
        texts = map(space.to_text, self.archs)
        save_networks(folder, list(zip(texts, self.measured_ms.tolist(), strict=True)))


@dataclass(frozen=True)
class MeasuredOnDevice:
    """Milliseconds of networks at the table's quiet reference speed, [n], the reference's own quiet time, and when."""

    ms: Floats
    quiet_reference_us: float
    last_visit_unix_s: float = 0.0


@dataclass(frozen=True)
class Workbench:
    """A space, a device, and a folder for models and journals. Everything measured is journalled.

    `rounds`: a first look, see `Protocol.limited`.
    """

    space: SearchSpace
    device: Device
    folder: Path
    rounds: int | None = None

    @property
    def ops_protocol(self) -> Protocol:
        """How ops are visited."""
        return OPS_PROTOCOL.limited(self.rounds)

    @property
    def networks_protocol(self) -> Protocol:
        """How whole networks are visited."""
        return networks_protocol(self.device.target().threads).limited(self.rounds)

    def plan(self, progress: Progress = silent) -> Plan:
        """One ONNX model of every op of the space, in the runtime's precision."""
        precision, form = self.device.target().precision, self.device.int8_form
        return plan_ops(self.space, self.folder / "ops", precision=precision, form=form, progress=progress)

    def table(self, plan: Plan, progress: Progress = silent) -> LatencyTable:
        """Every op measured, in interleaved rounds."""
        visits = self._measure(plan, "ops", self.ops_protocol, progress)
        return table_from_plan(plan, self.device.target(), visits, self.ops_protocol)

    def networks(
        self, table: LatencyTable, archs: Population, name: str, progress: Progress = silent
    ) -> MeasuredOnDevice:
        """Measure whole networks [n, genes], n >= 1; `name`: their folder."""
        plan, visits = self._visited(archs, table.reference_model, name, progress)
        ms = _ratios(plan, visits) * table.provenance.reference_us / 1e3
        last_s = max(visit.started_unix_s for visit in visits)
        return MeasuredOnDevice(ms, quiet_reference_us(visits), last_s)

    def calibrated_on_layers(
        self, profiler: Profiler, archs: Population, name: str, progress: Progress = silent
    ) -> Calibrated:
        """A table made of the layers of whole networks [n, genes], calibrated on the same; `name`: their folder.

        `profiler` is the runtime on this machine. Choose the networks by `hwnas.spaces.sampling.networks_of_every_op`.
        Raises `ProfilerError` where the runtime does not tell the times of layers, `HwnasError` for a space that is no
        chain of ops.
        """
        target = profiler.target()
        reference = reference_network(target.precision, profiler.int8_form)
        plan, visits = self._visited(archs, reference, name, progress)
        rounds = profile_layers(plan, profiler, progress=progress)
        costs = {op: op_cost(self.space, op) for op in self.space.all_ops}
        table = table_from_networks(self.space, archs, plan, target, rounds, costs)
        ms = _ratios(plan, visits) * table.provenance.reference_us / 1e3
        model = LatencyModel(table, self.space).calibrated(archs, ms)
        return Calibrated(archs, ms, model, {len(archs): _error_pct(model)})

    def networks_ms(self, table: LatencyTable, archs: Population, name: str, progress: Progress = silent) -> Floats:
        """Only their milliseconds, [n]."""
        return self.networks(table, archs, name, progress).ms

    def calibrate(self, table: LatencyTable, archs: Population, least: int, progress: Progress = silent) -> Calibrated:
        """Calibrate on as many of `archs` as it takes, at least `least`, then twenty by twenty.

        Stops when another step hardly lowered the error on networks left out, or with the last one.
        """
        model, measured, errors = LatencyModel(table, self.space), np.empty(0), dict[int, float]()
        before, error = np.inf, np.inf
        while not errors or (len(measured) < len(archs) and error <= _NO_LONGER_HELPS * before):
            more = archs[len(measured) :][: _STEP if errors else least]
            used = len(measured) + len(more)
            measured = np.append(measured, self.networks_ms(table, more, f"calibration-{used}", progress))
            model = model.calibrated(archs[:used], measured)
            before, error = error, _error_pct(model)
            errors[used] = error
        return Calibrated(archs[: len(measured)], measured, model, errors)

    def calibration_networks(
        self, table: LatencyTable, seed: int, count: int, exclude: Population | None = None
    ) -> Population:
        """Networks to calibrate on, [count, genes], see `hwnas.spaces.sampling`."""
        macs = {row.op: float(row.cost.macs) for row in table.rows}
        return calibration_networks(self.space, macs, seed, count, exclude)

    def _visited(
        self, archs: Population, reference: bytes, name: str, progress: Progress
    ) -> tuple[Plan, list[Measurement]]:
        """Whole networks as a plan, and the visits to them; raises `ProfilerError` where one cannot be run."""
        if not len(archs):
            raise HwnasError(f"no network of {self.space.name} is left to measure; it has too few networks")
        where, target, form = self.folder / "networks" / name, self.device.target(), self.device.int8_form
        plan = plan_networks(self.space, list(archs), where, reference, precision=target.precision, form=form)
        visits = self._measure(plan, name, self.networks_protocol, progress)
        if failed := [v.error for v in visits if v.error]:
            raise ProfilerError(f"a network of {self.space.name} cannot be run: {failed[0]}")
        return plan, visits

    def _measure(self, plan: Plan, name: str, protocol: Protocol, progress: Progress) -> list[Measurement]:
        """Measure a plan with a journal of its own: other models or another target, another journal."""
        work = digest_json([[m.sha256 for m in plan.models], vars(self.device.target()), protocol.to_json()])
        journal = self.folder / "journals" / f"{name}-{work[:8]}.jsonl"
        return self.device.measure(plan, journal, protocol, progress)


def _ratios(plan: Plan, visits: Sequence[Measurement]) -> Floats:
    """Times of a plan's models over that of the reference network, [models]."""
    done, quiet_us = by_key(visits), quiet_reference_us(visits)
    return np.array([summarise(done[model.key], quiet_us).lower_ratio for model in plan.models])


def _error_pct(model: LatencyModel) -> float:
    assert model.calibration is not None
    return model.calibration.mape_pct
