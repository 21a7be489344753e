"""The main job: profile, learn, search, deploy, and search again while the device says FAIL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwnas.report import plot_files, write_report
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.budget import RunBudget
from hwnas.run.check import check_run
from hwnas.run.deployment import Deployment
from hwnas.run.feedback import Attempt, Feedback, Outcome
from hwnas.run.folder import Display, RunFolder
from hwnas.run.front import Front
from hwnas.run.inputs import Inputs
from hwnas.run.profiling import Profiling
from hwnas.run.reporting import report_data
from hwnas.run.search import SearchStage
from hwnas.run.settings import STAGE_OPTIONS, Settings
from hwnas.run.stage import Result, Stage
from hwnas.spaces import Genotype
from hwnas.training import Numerics
from hwnas.workers import make_workers
from latency_tables.progress import Progress
from latency_tables.storage.files import digest_json, write_json
from profilers.boards.carried import take_results


class Run:
    """One run in one folder. Every stage is a method that first brings its inputs up to date.

    Use as a context manager, or call `close()`; in between the folder is locked and torch is deterministic.
    """

    def __init__(self, settings: Settings, path: Path, display: Display | None = None):
        self.settings = settings.absolute()
        self.workers = make_workers(settings.workers)
        self.folder = RunFolder(path, self.settings, display)
        self.inputs = Inputs(self.settings)
        self.profiling = Profiling(self.folder, self.inputs)
        self.accuracy_model = AccuracyModel(self.folder, self.inputs)
        self.budget = RunBudget(self.profiling)
        parts = self.folder, self.inputs, self.profiling, self.accuracy_model, self.budget
        self.search_stage = SearchStage(*parts)
        self.deployment = Deployment(*parts, self.workers)
        self.front = Front(self.folder, self.inputs, self.profiling, self.search_stage)
        self._numerics = Numerics.current()
        # Reproducible, and undisturbed by how many cores another machine has.
        torch.use_deterministic_algorithms(True, warn_only=True)

    def check(self, verb: str = "run") -> None:
        """Raise `HwnasError` for what a verb of `STAGE_OPTIONS` could not bring to its end, before it does anything."""
        check_run(self.settings, self.folder.path, verb)
        self.ask_device(verb)

    def ask_device(self, verb: str) -> None:
        """Ask a board what it is, once for a run, so that one that cannot be used is known before any work."""
        if "device" in STAGE_OPTIONS[verb] and self.settings.device is not None:
            _ = self.profiling.device

    def take_results(self, results: Path) -> None:
        """Take in what a kit of this run measured on a device that one carries files to.

        Raises `HwnasError` when it is of another device, or no kit of this run.
        """
        target = self.profiling.table.provenance.target
        take_results(results, self.folder.path, lambda found: target.require(found, "the latency table of this run"))

    def profile(self) -> None:
        """Table and calibration; says how far it was off on networks it had not seen."""
        held = self.profiling.heldout
        self.folder.display.say(
            f"held-out error of the latency model: {held.mape_pct:.2f} % on average, "
            f"{held.within_pct(5):.0f} % of {len(held.measured_ms)} networks within +-5 %"
        )

    def chosen(self) -> Genotype:
        """The architecture asked for, else the winner of the last search that the device has not contradicted."""
        if self.settings.arch is not None:
            return self.inputs.space.from_text(self.settings.arch)
        feedback = Feedback(self.search_stage, self.deployment)
        while True:
            _, winner = feedback.ask()
            known = self.deployment.known_verification(winner.arch)
            if known is None or not feedback.tell(winner, known):
                return winner.arch

    def outcome(self) -> Outcome:
        """Search, train, export and measure until the device says PASS, as often as the feedback loop allows."""
        say, budget_ms = self.folder.display.say, self.budget.ms
        self.search_stage.require_feasible()
        self.profile()
        say(f"budget: {budget_ms:.4g} ms ({self.budget.source})")
        feedback, attempts = Feedback(self.search_stage, self.deployment), list[Attempt]()
        while True:
            choice, winner = feedback.ask()
            export = self.deployment.export(winner.arch)
            verification = self.deployment.verify(winner.arch)
            attempts.append((winner, verification))
            say(
                f"{verification.verdict}: measured {verification.measured_ms:.4g} ms, predicted "
                f"{winner.predicted_ms:.4g} ms (at most {winner.predicted_upper_ms:.4g}), budget {budget_ms:.4g} ms"
            )
            if not feedback.tell(winner, verification):
                return Outcome(winner, choice, export, verification, tuple(attempts))

    def result(self) -> dict[str, Any]:
        """The whole job; writes `result.json` and `report.html` into the run folder and returns the former."""
        outcome = self.outcome()
        winner, verification = outcome.winner, outcome.verification
        test_accuracy = self.deployment.test_accuracy(winner.arch)
        tau = self.accuracy_model.predictor_fit.tau
        summary = {
            "budget_ms": self.budget.ms,
            "budget_source": self.budget.source,
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
            "precision": outcome.export.precision,
            "lowering": None if (how := outcome.export.lowering) is None else how.to_json(),
            "heldout_mape_pct": self.profiling.heldout.mape_pct,
            "heldout_within5_pct": self.profiling.heldout.within_pct(5),
            "predictor_tau": None if np.isnan(tau) else tau,
            "attempts": len(outcome.attempts),
            "n_ops": len(self.profiling.table.rows),
            "table": str(self.profiling.table_folder) if self.settings.table else "table",
            "onnx": str(outcome.export.path.relative_to(self.folder.path)),
            "report": "report.html",
        }
        self._report(outcome, test_accuracy, summary)
        summary["seconds"] = self.folder.seconds_by_kind()
        write_json(self.folder.path / "result.json", summary)
        return summary

    def _report(self, outcome: Outcome, test_accuracy: float, summary: dict[str, Any]) -> None:
        path = self.folder.path / "report.html"

        def work(progress: Progress) -> Result:
            write_report(report_data(self.deployment, outcome, test_accuracy), self.folder.path)
            return {}

        inputs = {"summary": digest_json(summary), "settings": self.settings.decisive}
        self.folder.do(Stage("report", "report", inputs, (path, *plot_files(self.folder.path))), work)

    def close(self) -> None:
        """Unlock the folder, and leave torch as it was."""
        self._numerics.apply()
        self.folder.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
