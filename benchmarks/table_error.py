"""How far a latency table is off: `python -m benchmarks.table_error --space mbconv-32 --nets 200 --seed 1 --json`.

Makes a table and calibrates it as `hwnas profile` does, then measures fresh networks by the same drift-cancelling
protocol. Beside it, on the same calibration networks: MACs and a line, boosted trees, and a table of raw medians.
`--later-minutes 15` measures the same fresh networks again in a new process; `--load` makes one more table while other
processes take half of the machine in bursts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._load import bursts
from benchmarks._rivals import boosted_trees, macs_and_line, raw_table
from benchmarks._speak import add_output_options, publish, say
from hwnas.cli.display import ConsoleDisplay
from hwnas.report.agreement import agreement_plot
from hwnas.run import Settings
from hwnas.spaces import Population, load_space
from hwnas.spaces.sampling import random_networks
from hwnas.tables import LEAST_CALIBRATION_NETWORKS
from hwnas.tables.check import Check, write_check
from hwnas.tables.workbench import Calibrated, Workbench
from latency_tables import LatencyModel, LatencyPrediction, LatencyTable, load_table, save_table
from latency_tables.arrays import Floats
from latency_tables.model.agreement import Agreement
from profilers import Profiler
from profilers.runtimes import make_profiler
from profilers.where import ThisMachine

_BAD_ROW = 0.10


@dataclass(frozen=True)
class Task:
    """What is measured, so that another process can take it up."""

    space: str
    runtime: str
    threads: int
    precision: str
    folder: Path

    def bench(self) -> Workbench:
        """The space and the runtime, opened here."""
        return Workbench(load_space(self.space), ThisMachine(self.profiler()), self.folder)

    def profiler(self) -> Profiler:
        """The runtime."""
        return make_profiler(self.runtime, self.threads, 1, self.precision)


@dataclass(frozen=True)
class Made:
    """A table with its calibration, and the seconds both took from nothing."""

    table: LatencyTable
    calibrated: Calibrated
    seconds: float


def make_table(bench: Workbench, seed: int, display: ConsoleDisplay) -> Made:
    """As `hwnas profile` does it."""
    started = time.monotonic()
    with display.stage("op models") as progress:
        plan = bench.plan(progress)
    with display.stage("latency table") as progress:
        table = bench.table(plan, progress)
    with display.stage("calibration") as progress:
        archs = bench.calibration_networks(table, seed, Settings.calibration_networks)
        calibrated = bench.calibrate(table, archs, LEAST_CALIBRATION_NETWORKS, progress)
    return Made(table, calibrated, time.monotonic() - started)


def measure_elsewhere(task: Task, table_folder: Path, archs: Population, name: str) -> Floats:
    """The networks' milliseconds, measured in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, task, table_folder, archs, name).result()


def _measure(task: Task, table_folder: Path, archs: Population, name: str) -> Floats:
    return task.bench().networks_ms(load_table(table_folder), archs, name)


def _plain(ms: Floats) -> LatencyPrediction:
    return LatencyPrediction(ms, ms, ms)


def rivals(bench: Workbench, profiler: Profiler, made: Made, fresh: Population, truth_ms: Floats) -> dict[str, float]:
    """The figures of what a table has to beat."""
    seen, seen_ms, space = made.calibrated.archs, made.calibrated.measured_ms, bench.space
    raw_ms, raw_seconds = raw_table(space, profiler, bench.plan(), bench.folder / "raw", seen, fresh)
    predictions = {
        "macs": macs_and_line(space, made.table, seen, seen_ms, fresh),
        "gbdt": boosted_trees(space, made.table, seen, seen_ms, fresh),
        "raw_median": raw_ms,
    }
    figures = {"raw_median_seconds": raw_seconds}
    for name, ms in predictions.items():
        agreement = Agreement(_plain(ms), truth_ms)
        figures |= {f"{name}_within5_pct": agreement.within_pct(5), f"{name}_mape_pct": agreement.mape_pct}
    return figures


def under_load(task: Task, quiet: Made, seed: int, fresh: Population, truth_ms: Floats) -> dict[str, float]:
    """A table made while others take half of the machine: its error, and bad rows that do not say so."""
    loaded = Task(task.space, task.runtime, task.threads, task.precision, task.folder / "loaded").bench()
    with bursts(os.cpu_count() or 1), ConsoleDisplay() as display:
        made = make_table(loaded, seed, display)
    pairs = [(row, quiet.table[row.op].median_us) for row in made.table.rows if row.median_us is not None]
    bad = [row for row, us in pairs if us is not None and abs((row.median_us or 0.0) / us - 1) > _BAD_ROW]
    agreement = Agreement(made.calibrated.model.predict(fresh), truth_ms)
    return {
        "load_mape_pct": agreement.mape_pct,
        "load_within5_pct": agreement.within_pct(5),
        "load_bad_rows": len(bad),
        "load_unmarked_bad_rows": sum(row.stop_reason == "ci" for row in bad),
        "load_seconds": made.seconds,
    }


def main() -> None:
    """Parse, measure, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mbconv-32")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--nets", type=int, default=50, help="fresh networks")
    parser.add_argument("--seed", type=int, default=1, help="which networks")
    parser.add_argument("--later-minutes", type=float, help="measure them again that long after, in a new process")
    parser.add_argument("--load", action="store_true", help="one more table, under load")
    parser.add_argument("--quick", action="store_true", help="twelve fresh networks: the same protocol, in a minute")
    parser.add_argument("--out", type=Path, help="keep models, journals and the table here and resume from them")
    add_output_options(parser)
    options = parser.parse_args()
    if options.quick:
        options.nets = 12
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch)
        task = Task(options.space, options.runtime, options.threads, options.precision, folder)
        with ConsoleDisplay() as display:
            figures, groups, details = measure(task, options, display)
    settings = {k: getattr(options, k) for k in ("space", "runtime", "threads", "precision", "nets", "later_minutes")}
    publish("table_error", figures, settings, options.seed, details, options.save)
    if options.save is not None:
        agreement_plot(groups).savefig(options.save.with_suffix(".png"), dpi=130)


def measure(
    task: Task, options: argparse.Namespace, display: ConsoleDisplay
) -> tuple[dict[str, float], list[tuple[str, Agreement]], Any]:
    """Figures, what the plot shows, and details."""
    bench = task.bench()
    made = make_table(bench, options.seed, display)
    kept = task.folder / "table"
    save_table(made.table, kept)
    archs, model = made.calibrated.archs, made.calibrated.model
    made.calibrated.save(kept, bench.space)
    fresh = random_networks(bench.space, [options.seed, 2], options.nets, exclude=archs)
    with display.stage("fresh networks") as progress:
        truth = bench.networks(made.table, fresh, "truth", progress)
    with display.stage("the same networks again: the noise floor") as progress:
        again_ms = bench.networks_ms(made.table, fresh, "again", progress)
    check = Check(
        Agreement(model.predict(fresh), truth.ms),
        truth.quiet_reference_us / made.table.provenance.reference_us,
        len(archs),
    )
    write_check(check, kept, options.seed)
    groups = [("fresh networks", check.agreement)]
    figures = {
        **check.figures(),
        "noise_floor_pct": float(np.abs(again_ms / truth.ms - 1).mean() * 100),
        "profile_seconds": made.seconds,
        "sum_of_ops_mape_pct": Agreement(LatencyModel(made.table, bench.space).predict(fresh), truth.ms).mape_pct,
        **rivals(bench, task.profiler(), made, fresh, truth.ms),
    }
    if options.load:
        figures |= under_load(task, made, options.seed, fresh, truth.ms)
    if options.later_minutes is not None:
        wait_s = 60 * options.later_minutes - (time.time() - truth.last_visit_unix_s)
        if wait_s > 0:
            say(f"waiting {wait_s / 60:.1f} minutes")
            time.sleep(wait_s)
        later = Agreement(model.predict(fresh), measure_elsewhere(task, kept, fresh, "later"))
        figures |= {f"later_{name}": value for name, value in later.figures().items()}
        groups.append((f"{options.later_minutes:g} minutes later", later))
    calibration = model.calibration
    assert calibration is not None
    details = {
        "terms": calibration.terms,
        "half_width_pct": 100 * calibration.relative_half_width,
        "left_out_error_pct": made.calibrated.error_pct,
        "predicted_ms": check.agreement.prediction.ms.tolist(),
        "measured_ms": truth.ms.tolist(),
    }
    return figures, groups, details


if __name__ == "__main__":
    main()
