"""Whether a table still fits its device: fresh random networks, measured now, against what it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binom

from hwnas.spaces.sampling import random_networks
from hwnas.tables import LEAST_CALIBRATION_NETWORKS, MOST_CALIBRATION_NETWORKS
from hwnas.tables.calibrated import load_model
from hwnas.tables.workbench import Workbench
from latency_tables import HwnasError, LatencyTable
from latency_tables.model.agreement import Agreement
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_json

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


def check_table(
    folder: Path, table: LatencyTable, bench: Workbench, nets: int, seed: int, progress: Progress = silent
) -> Check:
    """Measure `nets` random networks that the calibration has not seen; calibrates first where that was not done.

    Raises `TableError` when the table was made for another target and `HwnasError` when the space has too few networks.
    """
    table.provenance.target.require(bench.device.target(), f"the latency table {folder}")
    model, seen = load_model(folder, table, bench.space)
    archs = random_networks(bench.space, [seed, 2], nets, exclude=seen)
    if len(archs) < nets:
        raise HwnasError(f"{bench.space.name} has only {len(archs)} networks beside those of the calibration")
    if model.calibration is None:
        others = bench.calibration_networks(table, seed, MOST_CALIBRATION_NETWORKS, exclude=archs)
        calibrated = bench.calibrate(table, others, LEAST_CALIBRATION_NETWORKS, progress)
        calibrated.save(folder, bench.space)
        model, seen = calibrated.model, calibrated.archs
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
    write_json(folder / "check.json", content)
    agreement_plot([("fresh networks", a)]).savefig(folder / "check.png", dpi=150)
