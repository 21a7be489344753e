"""From a space to a calibrated latency model: ops, profile, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from hwnas.data import Dataset, load_dataset
from hwnas.run.folder import Result, RunFolder
from hwnas.spaces import Genotype, Population, SearchSpace, load_space
from hwnas.tables.workbench import LEAST_CALIBRATION_NETWORKS, Workbench
from latency_tables import LatencyModel, LatencyTable, TableError, load_table, save_table
from latency_tables.arrays import Floats
from latency_tables.model.agreement import Agreement
from latency_tables.progress import Progress, silent
from latency_tables.storage.networks import write_networks
from profilers import Plan, Profiler, read_plan
from profilers.protocol import OPS_PROTOCOL, networks_protocol
from profilers.runtimes import make_profiler

Correction = tuple[Genotype, float]
"""A network the device contradicted, and the milliseconds it measured."""


class Profiling:
    """The stages that need the device. Each property brings its inputs up to date first."""

    def __init__(self, folder: RunFolder):
        self.folder, self.settings = folder, folder.settings

    @cached_property
    def data(self) -> Dataset:
        """The images."""
        s = self.settings
        size = load_space(s.space).input_shape[1]
        data = load_dataset(s.data, test_source=s.test_data, size=size, limit=s.limit, mirror=s.mirror)
        for note in data.notes:
            self.folder.display.say(note)
        return data

    @cached_property
    def space(self) -> SearchSpace:
        """The search space, with as many classes as the data has."""
        return load_space(self.settings.space, self.data.num_classes)

    @cached_property
    def profiler(self) -> Profiler:
        """The runtime to measure with."""
        return make_profiler(self.settings.runtime, self.settings.threads, 1, self.settings.precision)

    @cached_property
    def bench(self) -> Workbench:
        """Measures this space with this runtime, in the run's folder."""
        return Workbench(self.space, self.profiler, self.folder.path)

    @cached_property
    def plan(self) -> Plan:
        """Stage `ops`: one ONNX model of every op."""
        where, ops = self.folder.path / "ops", self.space.all_ops
        precision = self.profiler.target().precision  # an unknown runtime is said before any work
        inputs = {"ops": [op.key for op in ops], "space": self.space.name, "precision": precision}
        outputs = [where / "plan.json", where / "reference.onnx", *(where / f"{i:04d}.onnx" for i in range(len(ops)))]

        def work(progress: Progress) -> Result:
            return {"ops": len(self.bench.plan(progress).models)}

        self.folder.stage("ops", "op models", inputs, outputs, work)
        return read_plan(where)

    @cached_property
    def table(self) -> LatencyTable:
        """Stage `profile`: every op measured on the device; or the table that was given, if it fits."""
        if self.settings.table is not None:
            return self._given_table(Path(self.settings.table))
        plan, where, target = self.plan, self.table_folder, self.profiler.target()
        inputs = {
            "models": [m.sha256 for m in plan.models],
            "reference": plan.reference_sha256,
            "target": [target.device, target.runtime, target.runtime_version, target.precision, target.threads],
            "protocol": OPS_PROTOCOL.to_json(),
        }

        def work(progress: Progress) -> Result:
            table = self.bench.table(plan, progress)
            save_table(table, where)
            return {"rows": len(table.rows), "failed": [row.op.key for row in table.rows if row.error]}

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

    @cached_property
    def _calibrated(self) -> tuple[LatencyModel, Agreement]:
        """Stage `calibrate`: whole networks, measured; then networks that the calibration has not seen."""
        s, table, bench = self.settings, self.table, self.bench
        held = bench.random_networks([s.seed, 5], s.heldout_networks)
        most = bench.calibration_networks(table, s.seed, s.calibration_networks, exclude=held)
        least = min(LEAST_CALIBRATION_NETWORKS, len(most))
        inputs = {
            "table": table.digest,
            "networks": [self.space.to_text(a) for a in (*most, *held)],
            "protocol": networks_protocol(s.threads).to_json(),
            "least": least,
        }

        def work(progress: Progress) -> Result:
            calibrated = bench.calibrate(table, most, least, progress)
            if self.settings.table is None:  # a table that was given stays as it is
                texts = [self.space.to_text(a) for a in calibrated.archs]
                write_networks(self.table_folder, list(zip(texts, calibrated.measured_ms.tolist(), strict=True)))
            return {
                "measured_ms": calibrated.measured_ms.tolist(),
                "error_pct": {str(k): v for k, v in calibrated.error_pct.items()},
                "heldout_measured_ms": bench.networks_ms(table, held, "heldout", progress).tolist(),
            }

        result = self.folder.stage("calibrate", "calibration on whole networks", inputs, [], work)
        seen, unseen = np.array(result["measured_ms"]), np.array(result["heldout_measured_ms"])
        model = LatencyModel(table, self.space).calibrated(most[: len(seen)], seen)
        agreement = Agreement(model.predict(held), unseen)
        # The error was seen on networks held out; the model that searches may use them all.
        everything = np.concatenate([most[: len(seen)], held]), np.concatenate([seen, unseen])
        return model.calibrated(*everything), agreement

    def networks_ms(self, archs: Population, name: str, progress: Progress = silent) -> Floats:
        """Milliseconds of whole networks [n, genes] at the table's quiet reference speed, [n]."""
        return self.bench.networks_ms(self.table, archs, name, progress)

    @property
    def heldout(self) -> Agreement:
        """How far the calibration was off on networks it had not seen."""
        return self._calibrated[1]

    def latency(self, corrections: Sequence[Correction] = ()) -> LatencyModel:
        """The calibrated latency model, corrected by networks that the device contradicted."""
        model = self._calibrated[0]
        for arch, measured_ms in corrections:
            model = model.corrected(arch, measured_ms)
        return model

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
