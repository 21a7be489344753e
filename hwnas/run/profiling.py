"""From a space to a calibrated latency model: ops, profile, calibrate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from hwnas.run.check import fitting_table
from hwnas.run.device import device_of
from hwnas.run.inputs import Stages
from hwnas.run.refused import leave_out
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Genotype
from hwnas.spaces.sampling import random_networks
from hwnas.tables import LEAST_CALIBRATION_NETWORKS
from hwnas.tables.workbench import Workbench
from latency_tables import LatencyModel, LatencyTable, ProfilerError, TableError, load_table, save_table
from latency_tables.model.agreement import Agreement
from latency_tables.progress import Progress
from latency_tables.storage.files import REFERENCE_FILE, ROWS_FILE
from latency_tables.storage.networks import NETWORKS_FILE, networks_match, read_networks
from profilers import Plan, Profiler, read_plan
from profilers.boards.carried import Carried
from profilers.runtimes import make_profiler
from profilers.where import Device, ThisMachine

Correction = tuple[Genotype, float]
"""A network the device contradicted, and the milliseconds it measured."""


class Profiling(Stages):
    """The stages that need the device. Each property brings its inputs up to date first."""

    @cached_property
    def device(self) -> Device:
        """What measures: this machine, or one elsewhere."""
        return device_of(self.settings, self.folder)

    @cached_property
    def profiler(self) -> Profiler:
        """The runtime on this machine, which says what files answer, whatever device measures.

        Where the device is elsewhere its runtime need not be here: an fp32 file answers the same on onnxruntime.
        """
        if isinstance(self.device, ThisMachine):
            return self.device.profiler
        s = self.settings
        try:
            return make_profiler(s.runtime, s.threads, 1, s.precision)
        except ProfilerError:
            if s.precision != "fp32":
                raise
            return make_profiler("onnxruntime", s.threads, 1)

    @cached_property
    def bench(self) -> Workbench:
        """Measures this space with this runtime, in the run's folder."""
        return Workbench(self.space, self.device, self.folder.path, self.settings.rounds)

    @cached_property
    def plan(self) -> Plan:
        """Stage `ops`: one ONNX model of every op."""
        where, ops = self.folder.path / "ops", self.space.all_ops
        precision = self.device.target().precision  # an unknown runtime is said before any work
        inputs = {"ops": [op.key for op in ops], "space": self.space.name, "precision": precision}
        outputs = (where / "plan.json", where / "reference.onnx", *(where / f"{i:04d}.onnx" for i in range(len(ops))))

        stage = Stage("ops", "op models", inputs, outputs)
        self.folder.do(stage, lambda progress: {"ops": len(self.bench.plan(progress).models)})
        return read_plan(where)

    @cached_property
    def table(self) -> LatencyTable:
        """Stage `profile`: every op measured on the device; or the table that was given, if it fits."""
        where, target = self.table_folder, self.device.target()
        if self.settings.table is not None:
            return fitting_table(where, target, self.space.name, self.space.all_ops)
        plan = self.plan
        inputs = {
            "models": [m.sha256 for m in plan.models],
            "reference": plan.reference_sha256,
            "target": [target.device, target.runtime, target.runtime_version, target.precision, target.threads],
            "protocol": self.bench.ops_protocol.to_json(),
        }

        def work(progress: Progress) -> Result:
            table = self.bench.table(plan, progress)
            save_table(table, where)
            return {"rows": len(table.rows), "failed": [row.op.key for row in table.rows if row.error]}

        # Calibrating adds the digest of networks.csv to the provenance, which is under a digest of its own.
        outputs = (where / ROWS_FILE, where / REFERENCE_FILE)
        stage = Stage("profile", "latency table", inputs, outputs, intact=lambda: _loads(where))
        result = self.folder.do(stage, work)
        table = load_table(where)
        if result["failed"]:
            raise leave_out(self.folder.whole.path, self.space, table)
        return table

    @property
    def table_folder(self) -> Path:
        """Where the table is."""
        return Path(self.settings.table) if self.settings.table is not None else self.folder.path / "table"

    @cached_property
    def _calibrated(self) -> tuple[LatencyModel, Agreement]:
        """Stage `calibrate`: whole networks, measured; then networks that the calibration has not seen."""
        if isinstance(self.device, Carried):
            return self._calibrated_elsewhere()
        s, table, bench, where = self.settings, self.table, self.bench, self.table_folder
        calibration, heldout = network_counts(self.space.size, s.calibration_networks, s.heldout_networks)
        held = random_networks(self.space, [s.seed, 5], heldout)
        most = bench.calibration_networks(table, s.seed, calibration, exclude=held)
        least = min(LEAST_CALIBRATION_NETWORKS, len(most))
        own = s.table is None  # a table that was given stays as it is
        inputs = {
            "table": table.digest,
            "networks": [self.space.to_text(a) for a in (*most, *held)],
            "protocol": bench.networks_protocol.to_json(),
            "least": least,
        }

        def work(progress: Progress) -> Result:
            calibrated = bench.calibrate(table, most, least, progress)
            if own:
                calibrated.save(where, self.space)
            return {
                "measured_ms": calibrated.measured_ms,
                "error_pct": calibrated.error_pct,
                "heldout_measured_ms": bench.networks_ms(table, held, "heldout", progress),
            }

        stage = Stage(
            "calibrate",
            "calibration on whole networks",
            inputs,
            (where / NETWORKS_FILE,) if own else (),
            intact=lambda: not own or networks_match(where),
        )
        result = self.folder.do(stage, work)
        seen, unseen = np.array(result["measured_ms"]), np.array(result["heldout_measured_ms"])
        model = LatencyModel(table, self.space).calibrated(most[: len(seen)], seen)
        agreement = Agreement(model.predict(held), unseen)
        # The error was seen on networks held out; the model that searches may use them all.
        everything = np.concatenate([most[: len(seen)], held]), np.concatenate([seen, unseen])
        return model.calibrated(*everything), agreement

    def _calibrated_elsewhere(self) -> tuple[LatencyModel, Agreement]:
        """With the networks that were measured with the table; a fifth of them show its error first."""
        networks = read_networks(self.table_folder, self.table.provenance.networks_sha256)
        archs = np.array([self.space.from_text(text) for text, _ in networks])
        ms = np.array([ms for _, ms in networks])
        model, fit = LatencyModel(self.table, self.space), len(networks) - len(networks) // 5
        agreement = Agreement(model.calibrated(archs[:fit], ms[:fit]).predict(archs[fit:]), ms[fit:])
        return model.calibrated(archs, ms), agreement

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


def network_counts(size: int, calibration: int, heldout: int) -> tuple[int, int]:
    """How many networks of a space calibrate, and how many are held out: a fifth of a small space at most."""
    heldout = min(heldout, size // 5)
    return min(calibration, size - heldout), heldout


def _loads(folder: Path) -> bool:
    """Whether a table is whole, by its own digest."""
    try:
        load_table(folder)
    except TableError:
        return False
    return True
