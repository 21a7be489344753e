"""From a space to a calibrated latency model: ops, profile, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.data import Dataset, load_dataset
from hwnas.pipeline.folder import Result, RunFolder
from hwnas.spaces import Population, SearchSpace, load_space, unique_genotypes
from hwnas.spaces.plans import plan_networks, plan_ops
from latency_tables import (
    Calibration,
    CalibrationNetwork,
    LatencyModel,
    LatencyTable,
    Measurement,
    TableError,
    fit_calibration,
    load_table,
    save_table,
    summarise,
)
from latency_tables.calibration import features_of
from latency_tables.files import digest_json
from latency_tables.progress import Progress
from profilers import Plan, Profiler, Protocol, measure_plan, read_plan, table_from_plan
from profilers.protocol import by_key
from profilers.worker import make_profiler


@dataclass(frozen=True)
class HeldOut:
    """Networks that the calibration did not see: what it predicted and what the device said, [n] each."""

    predicted_ms: tuple[float, ...]
    measured_ms: tuple[float, ...]

    @property
    def mape_pct(self) -> float:
        """Mean absolute error in percent of the measurement."""
        return float(self._errors().mean() * 100)

    @property
    def within5_pct(self) -> float:
        """Percent of networks within +-5 %."""
        return float((self._errors() <= 0.05).mean() * 100)

    def _errors(self) -> NDArray[np.float64]:
        return np.asarray(np.abs(np.array(self.predicted_ms) / np.array(self.measured_ms) - 1))


class Measuring:
    """The stages that need the device. Each property brings its inputs up to date first."""

    def __init__(self, folder: RunFolder):
        self.folder, self.settings = folder, folder.settings
        self.protocol = Protocol()
        self.network_protocol = Protocol(minimum_rounds=5)

    @cached_property
    def data(self) -> Dataset:
        """The images."""
        s = self.settings
        size = load_space(s.space).input_shape[1]
        return load_dataset(s.data, test_source=s.test_data, size=size, limit=s.limit, mirror=s.mirror)

    @cached_property
    def space(self) -> SearchSpace:
        """The search space, with as many classes as the data has."""
        return load_space(self.settings.space, self.data.num_classes)

    @cached_property
    def profiler(self) -> Profiler:
        """The runtime to measure with."""
        return make_profiler(self.settings.runtime, self.settings.threads, 1)

    @cached_property
    def plan(self) -> Plan:
        """Stage `ops`: one ONNX model of every op."""
        where, ops = self.folder.path / "ops", self.space.all_ops
        _ = self.profiler  # an unknown runtime is said before any work
        inputs = {"ops": [op.key for op in ops], "space": self.space.name}
        outputs = [where / "plan.json", where / "reference.onnx", *(where / f"{i:04d}.onnx" for i in range(len(ops)))]

        def work(progress: Progress) -> Result:
            plan = plan_ops(self.space, where, progress=progress)
            return {"ops": len(plan.models)}

        self.folder.stage("ops", "op models", inputs, outputs, work)
        return read_plan(where)

    @cached_property
    def table(self) -> LatencyTable:
        """Stage `profile`: every op measured on the device; or the table that was given, if it fits."""
        if self.settings.table is not None:
            return self._given_table(Path(self.settings.table))
        plan, where = self.plan, self.table_folder
        target = self.profiler.target()
        inputs = {
            "models": [m.sha256 for m in plan.models],
            "reference": plan.reference_sha256,
            "target": [target.device, target.runtime, target.runtime_version, target.threads],
            "protocol": self.protocol.to_json(),
        }

        def work(progress: Progress) -> Result:
            visits = self._measure(plan, "ops", self.protocol, progress)
            table = table_from_plan(plan, self.profiler, visits, self.protocol)
            save_table(table, where)
            failed = [row.op.key for row in table.rows if row.error]
            return {"rows": len(table.rows), "failed": failed, "visits": len(visits)}

        outputs = [where / "rows.parquet", where / "provenance.json", where / "reference.onnx"]
        result = self.folder.stage("profile", "latency table", inputs, outputs, work)
        if result["failed"]:
            raise TableError(f"the runtime refuses {len(result['failed'])} ops, first {result['failed'][0]}")
        return load_table(where)

    @property
    def table_folder(self) -> Path:
        """Where the table is."""
        return Path(self.settings.table) if self.settings.table is not None else self.folder.path / "table"

    def _given_table(self, where: Path) -> LatencyTable:
        """A table measured before; raises `TableError` when it is for another target or lacks an op of the space."""
        table = load_table(where)
        table.provenance.target.require(self.profiler.target(), f"the latency table {where}")
        coverage = LatencyModel(table, self.space).coverage()
        if lacking := [*coverage.missing, *coverage.failed]:
            raise TableError(
                f"the latency table {where} is for {table.provenance.space} and has no time for {len(lacking)} of "
                f"{len(self.space.all_ops)} ops of {self.space.name}, first {lacking[0].key}; leave out --table"
            )
        return table

    def _measure(self, plan: Plan, name: str, protocol: Protocol, progress: Progress) -> list[Measurement]:
        """Measure a plan with a journal of its own: other models or another target, another journal."""
        target = vars(self.profiler.target())
        work = digest_json([[m.sha256 for m in plan.models], target, protocol.to_json()])
        journal = self.folder.path / "journals" / f"{name}-{work[:8]}.jsonl"
        return measure_plan(plan, self.profiler, journal, protocol, progress, interleaved=name == "ops")

    @cached_property
    def _calibrated(self) -> tuple[Calibration, HeldOut]:
        """Stage `calibrate`: whole networks measured, the calibration fitted, its error on others seen."""
        s, table = self.settings, self.table
        sample = self.space.sample(
            np.random.default_rng([s.seed, 1]), 4 * (s.calibration_networks + s.heldout_networks)
        )
        archs = unique_genotypes(sample)[: s.calibration_networks + s.heldout_networks]
        texts = [self.space.to_text(a) for a in archs]
        inputs = {
            "table": table.digest,
            "networks": texts,
            "protocol": self.network_protocol.to_json(),
            "calibration": s.calibration_networks,
        }

        def work(progress: Progress) -> Result:
            measured_ms = self.measure_networks(archs, "calibration", progress)
            features = LatencyModel(table, self.space).features(archs)
            columns = (features.sum_ms, features.weight_mb, features.ops, np.array(measured_ms))
            rows = np.column_stack(columns).tolist()
            networks = [CalibrationNetwork(text, *row) for text, row in zip(texts, rows, strict=True)]
            fitted = fit_calibration(networks[: s.calibration_networks])
            held = networks[s.calibration_networks :]
            predicted = fitted.predict_ms(features_of(held))
            return {
                "networks": [vars(n) for n in networks],
                "heldout_predicted_ms": predicted.tolist(),
                "heldout_measured_ms": [n.measured_ms for n in held],
            }

        result = self.folder.stage("calibrate", "calibration on whole networks", inputs, [], work)
        held = HeldOut(tuple(result["heldout_predicted_ms"]), tuple(result["heldout_measured_ms"]))
        # The error was seen on networks held out; the model that searches may use them all.
        return fit_calibration([CalibrationNetwork(**n) for n in result["networks"]]), held

    def measure_networks(self, archs: Population, name: str, progress: Progress) -> list[float]:
        """Milliseconds of whole networks at the table's quiet reference speed."""
        reference_ms = self.table.provenance.reference_us / 1e3
        where = self.folder.path / "networks" / name
        plan = plan_networks(self.space, list(archs), where, self.table.reference_model)
        visits = by_key(self._measure(plan, name, self.network_protocol, progress))
        return [summarise(visits[m.key]).ratio * reference_ms for m in plan.models]

    @property
    def heldout(self) -> HeldOut:
        """How far the calibration was off on networks it had not seen."""
        return self._calibrated[1]

    def latency(self, corrections: Sequence[CalibrationNetwork] = ()) -> LatencyModel:
        """The calibrated latency model, corrected by networks that the device contradicted."""
        calibration = self._calibrated[0]
        for network in corrections:
            calibration = calibration.corrected(network)
        return LatencyModel(self.table, self.space, calibration)

    @cached_property
    def budget_ms(self) -> float:
        """The budget asked for, else the median predicted latency of 1000 random networks."""
        if self.settings.budget_ms is not None:
            return self.settings.budget_ms
        archs = self.space.sample(np.random.default_rng(0), 1000)
        return float(np.median(self.latency().predict(archs).ms))

    @property
    def budget_source(self) -> str:
        """Where the budget comes from, in words."""
        given = self.settings.budget_ms is not None
        return "given" if given else "median predicted latency of 1000 random networks"
