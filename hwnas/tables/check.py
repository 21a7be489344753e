"""Whether a table still fits its device: fresh random networks, measured now, against what it predicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binom

from hwnas.spaces import Population, SearchSpace
from hwnas.tables import LEAST_CALIBRATION_NETWORKS, MOST_CALIBRATION_NETWORKS
from hwnas.tables.workbench import Workbench
from latency_tables import HwnasError, LatencyModel, LatencyTable, TableError
from latency_tables.model.agreement import Agreement
from latency_tables.model.calibration import MINIMUM_NETWORKS
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically
from latency_tables.storage.networks import NETWORKS_FILE, read_networks, save_networks

_UNLIKELY = 1e-3
_SLOWER = 1.25
_ABSURD_PCT = 50.0


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


def load_model(folder: Path, table: LatencyTable, space: SearchSpace) -> tuple[LatencyModel, Population]:
    """The calibrated model of the table in `folder`, and the networks [n, genes] it was calibrated on.

    Without `networks.csv` the model has no calibration and n is 0. Raises `TableError` when there are too few.
    """
    networks, model = read_networks(folder, table.provenance.networks_sha256), LatencyModel(table, space)
    if not networks:
        return model, np.empty((0, len(space.cardinalities)), dtype=np.int64)
    if len(networks) < MINIMUM_NETWORKS:
        raise TableError(f"{folder} has {len(networks)} calibration networks and needs {MINIMUM_NETWORKS}; add some")
    archs = np.array([space.from_text(text) for text, _ in networks])
    model = model.calibrated(archs, np.array([ms for _, ms in networks]))
    _require_plausible(model, networks, folder)
    return model, archs


def _require_plausible(model: LatencyModel, networks: Sequence[tuple[str, float]], folder: Path) -> None:
    """Raise `TableError` naming the worst network where networks left out are far off: a number must be wrong."""
    assert model.calibration is not None
    off_pct = 100 * np.abs(model.calibration.residuals)
    if off_pct.mean() <= _ABSURD_PCT:
        return
    worst = int(off_pct.argmax())
    raise TableError(
        f"networks left out of the calibration of {folder} are {off_pct.mean():.3g} % off on average, most of all "
        f"{networks[worst][0]} with {networks[worst][1]:g} ms; correct {NETWORKS_FILE} or calibrate again"
    )


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
