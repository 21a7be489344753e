"""The main job: profile, learn, search, ship, and go round again while the device says FAIL."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deploy.export import Export
from deploy.verify import Verification
from hwnas.pipeline.deciding import Candidate, Choice, Deciding
from hwnas.pipeline.folder import Display, Result, RunFolder
from hwnas.pipeline.learning import Learning
from hwnas.pipeline.measuring import Measuring
from hwnas.pipeline.reporting import report_data
from hwnas.pipeline.settings import Settings
from hwnas.pipeline.shipping import Shipping
from hwnas.report import write_report
from hwnas.spaces import Genotype
from latency_tables import CalibrationNetwork
from latency_tables.files import digest_json, write_atomically
from latency_tables.progress import Progress

ATTEMPTS = 3


@dataclass(frozen=True)
class Outcome:
    """The last attempt: what won, what the search had found, what was shipped, what the device said; all attempts."""

    winner: Candidate
    choice: Choice
    export: Export
    verification: Verification
    attempts: tuple[tuple[Candidate, Verification], ...]


class Run:
    """One run in one folder. Every stage is a method that first brings its inputs up to date.

    Use as a context manager, or call `close()`; the folder is locked in between.
    """

    def __init__(self, settings: Settings, path: Path, display: Display | None = None):
        # Reproducible, and undisturbed by how many cores another machine has.
        torch.use_deterministic_algorithms(True, warn_only=True)
        self.settings = settings
        self.folder = RunFolder(path, settings, display)
        self.measuring = Measuring(self.folder)

    @cached_property
    def learning(self) -> Learning:
        """Supernet and predictor."""
        return Learning(self.folder, self.measuring)

    @cached_property
    def deciding(self) -> Deciding:
        """The search."""
        return Deciding(self.folder, self.measuring, self.learning)

    @cached_property
    def shipping(self) -> Shipping:
        """Train, export, verify."""
        return Shipping(self.folder, self.measuring, self.learning)

    def profile(self) -> None:
        """Table and calibration; says how far it was off on networks it had not seen."""
        held = self.measuring.heldout
        self.folder.display.say(
            f"held-out error of the latency model: {held.mape_pct:.2f} % on average, "
            f"{held.within5_pct:.0f} % of {len(held.measured_ms)} networks within +-5 %"
        )

    def chosen(self) -> Genotype:
        """The architecture asked for, else the best of the first search's finalists."""
        if self.settings.arch is not None:
            return self.measuring.space.from_text(self.settings.arch)
        finalists = self.deciding.choose(1).finalists
        return finalists[self.shipping.best([c.arch for c in finalists])].arch

    def outcome(self) -> Outcome:
        """Search, train, export and measure until the device says PASS, at most `ATTEMPTS` times."""
        say = self.folder.display.say
        self.deciding.require_feasible()
        self.profile()
        budget_ms = self.measuring.budget_ms
        say(f"budget: {budget_ms:.4g} ms ({self.measuring.budget_source})")
        corrections: list[CalibrationNetwork] = []
        attempts: list[tuple[Candidate, Verification]] = []
        while True:
            choice = self.deciding.choose(len(attempts) + 1, corrections)
            winner = choice.finalists[self.shipping.best([c.arch for c in choice.finalists])]
            export = self.shipping.export(winner.arch)
            verification = self.shipping.verify(winner.arch)
            attempts.append((winner, verification))
            say(
                f"{verification.verdict}: measured {verification.measured_ms:.4g} ms, predicted "
                f"{winner.predicted_ms:.4g} ms (at most {winner.predicted_upper_ms:.4g}), budget {budget_ms:.4g} ms"
            )
            if verification.verified or len(attempts) == ATTEMPTS:
                return Outcome(winner, choice, export, verification, tuple(attempts))
            f = self.measuring.latency().features(winner.arch[None])
            known = (float(f.sum_ms[0]), float(f.weight_mb[0]), float(f.ops[0]))
            corrections.append(CalibrationNetwork(winner.text, *known, verification.measured_ms))
            say("the latency model is recalibrated with what the device said, and the search runs again")
            self.deciding.require_feasible(corrections)

    def result(self) -> dict[str, Any]:
        """The whole job; writes `result.json` and `report.html` into the run folder and returns the former."""
        outcome = self.outcome()
        winner, verification = outcome.winner, outcome.verification
        test_accuracy = self.shipping.test_accuracy(winner.arch)
        summary = {
            "budget_ms": self.measuring.budget_ms,
            "budget_source": self.measuring.budget_source,
            "predicted_ms": winner.predicted_ms,
            "predicted_upper_ms": winner.predicted_upper_ms,
            "measured_ms": verification.measured_ms,
            "measured_ci95_ms": list(verification.measured_ci95_ms),
            "measured_raw_median_ms": verification.raw_median_ms,
            "machine_slowdown": verification.slowdown,
            "verified": verification.verified,
            "test_accuracy": test_accuracy,
            "arch": winner.text,
            "macs": outcome.export.macs,
            "params": outcome.export.params,
            "parity_max_abs": outcome.export.parity_max_abs,
            "heldout_mape_pct": self.measuring.heldout.mape_pct,
            "heldout_within5_pct": self.measuring.heldout.within5_pct,
            "predictor_tau": self.learning.predictor_fit.tau,
            "attempts": len(outcome.attempts),
            "n_ops": len(self.measuring.table.rows),
            "table": "table",
            "onnx": str(outcome.export.path.relative_to(self.folder.path)),
            "report": "report.html",
        }
        self._report(outcome, test_accuracy, summary)
        summary["seconds"] = self.folder.seconds_by_kind()
        text = json.dumps(summary, indent=2, default=float) + "\n"
        write_atomically(self.folder.path / "result.json", text.encode())
        return summary

    def _report(self, outcome: Outcome, test_accuracy: float, summary: dict[str, Any]) -> None:
        path = self.folder.path / "report.html"

        def work(progress: Progress) -> Result:
            data = report_data(self.folder, self.measuring, self.learning, self.shipping, outcome, test_accuracy)
            write_report(data, self.folder.path)
            return {}

        known = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in summary.items()}
        inputs = {"summary": digest_json(known), "settings": asdict(self.settings)}
        self.folder.stage("report", "report", inputs, [path], work)

    def close(self) -> None:
        """Unlock the folder."""
        self.folder.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
