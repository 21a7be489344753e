"""Whether a table still fits its device: fresh random networks, measured now, against what it predicts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binom

from hwnas.spaces import Population
from hwnas.tables import LEAST_CALIBRATION_NETWORKS, MOST_CALIBRATION_NETWORKS
from hwnas.tables.calibrated import load_model
from hwnas.tables.workbench import Workbench
from latency_tables import HwnasError, LatencyModel, LatencyTable
from latency_tables.model.agreement import Agreement
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically
from latency_tables.storage.networks import save_networks

_UNLIKELY = 1e-3
_SLOWER = 1.25


@dataclass(frozen=True)
class Check:
    """What fresh networks said. `slowdown`: the reference network's quiet time now over the table's."""

    agreement: Agreement
    slowdown: float
    calibrated_on: int

    @property
    def problem(self) -> str | None:
        """Why the table no longer fits, in one line, or None.

        So few networks inside their 90 % interval that chance would do it less than once in a thousand checks; or a
        reference network that runs at another speed than when the table was made.
        """
        a = self.agreement
        if binom.cdf(a.inside, len(a.measured_ms), 0.9) < _UNLIKELY:
            return (
                f"only {a.inside} of {len(a.measured_ms)} networks are inside their 90 % interval (bias "
                f"{a.bias_pct:+.1f} %): the device has changed, or another runtime does the work; profile again"
            )
        if not 1 / _SLOWER <= self.slowdown <= _SLOWER:
            return (
                f"the reference network takes {self.slowdown:.2f} x the time it took when the table was made: other "
                f"clocks or a busy device; set them as before or profile again"
            )
        return None

    def figures(self) -> dict[str, float]:
        """Every figure by name."""
        return {**self.agreement.figures(), "slowdown": self.slowdown, "calibrated_on": self.calibrated_on}


def calibrate_table(
    folder: Path, table: LatencyTable, bench: Workbench, archs: Population, progress: Progress
) -> tuple[LatencyModel, Population]:
    """Measure as many of `archs` as it takes for a table that has none beside it, and keep them there."""
    done = bench.calibrate(table, archs, LEAST_CALIBRATION_NETWORKS, progress)
    texts = [bench.space.to_text(arch) for arch in done.archs]
    save_networks(folder, list(zip(texts, done.measured_ms.tolist(), strict=True)))
    return done.model, done.archs


def check_table(
    folder: Path, table: LatencyTable, bench: Workbench, nets: int, seed: int, progress: Progress = silent
) -> Check:
    """Measure `nets` random networks that the calibration has not seen; calibrates first where that was not done.

    Raises `TableError` when the table was made for another target and `HwnasError` when the space has too few networks.
    """
    table.provenance.target.require(bench.profiler.target(), f"the latency table {folder}")
    model, seen = load_model(folder, table, bench.space)
    archs = bench.random_networks([seed, 2], nets, exclude=seen)
    if len(archs) < nets:
        raise HwnasError(f"{bench.space.name} has only {len(archs)} networks beside those of the calibration")
    if model.calibration is None:
        others = bench.calibration_networks(table, seed, MOST_CALIBRATION_NETWORKS, exclude=archs)
        model, seen = calibrate_table(folder, table, bench, others, progress)
    measured = bench.networks(table, archs, f"check-{seed}", progress)
    slowdown = measured.quiet_reference_us / table.provenance.reference_us
    return Check(Agreement(model.predict(archs), measured.ms), slowdown, len(seen))


def write_check(check: Check, folder: Path, seed: int) -> None:
    """`check.json` and `check.png` into `folder`."""
    from hwnas.report.agreement import agreement_plot

    a = check.agreement
    content = {
        "seed": seed,
        "problem": check.problem,
        "figures": check.figures(),
        "predicted_ms": a.prediction.ms.tolist(),
        "lower_ms": a.prediction.lower_ms.tolist(),
        "upper_ms": a.prediction.upper_ms.tolist(),
        "measured_ms": a.measured_ms.tolist(),
    }
    write_atomically(folder / "check.json", (json.dumps(content, indent=1) + "\n").encode())
    agreement_plot([("fresh networks", a)]).savefig(folder / "check.png", dpi=150)
