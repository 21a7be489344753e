"""The main job: profile, learn, search, deploy, and search again while the device says FAIL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwnas.report import plot_files, write_report
from hwnas.run.accuracy_model import AccuracyModel
from hwnas.run.branches import Branch, Branches
from hwnas.run.check import check_run
from hwnas.run.evolved import EvolvedSpace
from hwnas.run.feedback import Attempt, Feedback, Outcome
from hwnas.run.folder import Display, RunFolder
from hwnas.run.front import Front
from hwnas.run.inputs import Inputs
from hwnas.run.profiling import Profiling
from hwnas.run.refused import texts_left
from hwnas.run.reporting import report_data
from hwnas.run.settings import STAGE_OPTIONS, Settings
from hwnas.run.stage import Result, Stage
from hwnas.run.training import Training
from hwnas.spaces import Genotype
from hwnas.training import Numerics
from hwnas.workers import make_workers
from latency_tables.progress import Progress
from latency_tables.storage.files import digest_json, write_json
from profilers.boards.carried import take_results


class Run:
    """One run in one folder. Every stage is a method that first brings its inputs up to date.

    Use as a context manager, or call `close()`; in between the folder is locked and torch is deterministic. Where a
    stage raises `OpsRefused`, a new `Run` of the folder goes on with a smaller space.
    """

    def __init__(self, settings: Settings, path: Path, display: Display | None = None):
        self.settings = settings.absolute()
        self.workers = make_workers(settings.workers)
        self.folder = RunFolder(path, self.settings, display)
        self.inputs = Inputs(self.settings, texts_left(path))
        evolved = EvolvedSpace(self.folder, self.inputs, self._first_branch)
        self.accuracy_model = AccuracyModel(self.folder, self.inputs, evolved, self._first_branch)
        self.training = Training(self.folder, self.inputs, self.accuracy_model, self.workers)
        self.branches = Branches(self.folder, self.inputs, self.accuracy_model, self.training)
        self.front = Front(self.folder, self.branches)
        self._numerics = Numerics.current()
        # Reproducible, and undisturbed by how many cores another machine has.
        torch.use_deterministic_algorithms(True, warn_only=True)

    def _first_branch(self) -> Branch:
        return self.branches.first

    @property
    def profiling(self) -> Profiling:
        """Table and calibration; with several precisions those of fp32."""
        return self.branches.first.profiling

    def check(self, verb: str = "run") -> None:
        """Raise `HwnasError` for what a verb of `STAGE_OPTIONS` could not bring to its end, before it does anything."""
        check_run(self.settings, self.folder.path, verb)
        self.ask_device(verb)

    def ask_device(self, verb: str) -> None:
        """Ask a board what it is, once for a run, so that one that cannot be used is known before any work."""
        if "device" in STAGE_OPTIONS[verb] and self.settings.device is not None:
            for branch in self.branches:
                _ = branch.profiling.device

    def take_results(self, results: Path) -> None:
        """Take in what a kit of this run measured on a device that one carries files to.

        Raises `HwnasError` when it is of another device, or no kit of this run.
        """
        target = self.profiling.table.provenance.target
        take_results(results, self.folder.path, lambda found: target.require(found, "the latency table of this run"))

    def profile(self) -> None:
        """Tables and calibrations; says how far they were off on networks they had not seen."""
        for branch in self.branches:
            held = branch.profiling.heldout
            branch.profiling.folder.display.say(
                f"held-out error of the latency model: {held.mape_pct:.2f} % on average, "
                f"{held.within_pct(5):.0f} % of {len(held.measured_ms)} networks within +-5 %"
            )

    def chosen(self) -> tuple[Branch, Genotype]:
        """The architecture asked for, else the winner of the last search that the device has not contradicted."""
        if self.settings.arch is not None:
            return self.branches.first, self.inputs.space.from_text(self.settings.arch)
        feedback = Feedback(self.branches, self.folder.display)
        while True:
            _, winner = feedback.ask()
            branch = self.branches[winner.precision]
            known = branch.deployment.known_verification(winner.arch)
            if known is None or not feedback.tell(winner, known):
                return branch, winner.arch

    def outcome(self) -> Outcome:
        """Search, train, export and measure until the device says PASS, as often as the feedback loop allows."""
        say, budget = self.folder.display.say, self.branches.budget
        self.branches.feasible({})
        self.profile()
        say(f"budget: {budget.ms:.4g} ms ({budget.source})")
        feedback, attempts = Feedback(self.branches, self.folder.display), list[Attempt]()
        while True:
            choice, winner = feedback.ask()
            deployment = self.branches[winner.precision].deployment
            export, verification = deployment.export(winner.arch), deployment.verify(winner.arch)
            attempts.append((winner, verification))
            say(
                f"{verification.verdict}: measured {verification.measured_ms:.4g} ms, predicted "
                f"{winner.predicted_ms:.4g} ms (at most {winner.predicted_upper_ms:.4g}), budget {budget.ms:.4g} ms"
            )
            if not feedback.tell(winner, verification):
                return Outcome(winner, choice, export, verification, tuple(attempts))

    def result(self) -> dict[str, Any]:
        """The whole job; writes `result.json` and `report.html` into the run folder and returns the former."""
        outcome = self.outcome()
        winner, verification = outcome.winner, outcome.verification
        branch, tau = self.branches[winner.precision], self.accuracy_model.predictor_fit.tau
        test_accuracy, profiling = branch.deployment.test_accuracy(winner.arch), branch.profiling
        summary = {
            "budget_ms": self.branches.budget.ms,
            "budget_source": self.branches.budget.source,
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
            "heldout_mape_pct": profiling.heldout.mape_pct,
            "heldout_within5_pct": profiling.heldout.within_pct(5),
            "predictor_tau": None if np.isnan(tau) else tau,
            "attempts": len(outcome.attempts),
            "n_ops": len(profiling.table.rows),
            "table": str(profiling.table_folder) if self.settings.table else self._inside(profiling.table_folder),
            "onnx": self._inside(outcome.export.path),
            "report": "report.html",
        }
        self._report(outcome, test_accuracy, summary)
        summary["seconds"] = self.folder.seconds_by_kind()
        write_json(self.folder.path / "result.json", summary)
        return summary

    def _inside(self, path: Path) -> str:
        return str(path.relative_to(self.folder.path))

    def _report(self, outcome: Outcome, test_accuracy: float, summary: dict[str, Any]) -> None:
        path = self.folder.path / "report.html"

        def work(progress: Progress) -> Result:
            write_report(report_data(self.branches, outcome, test_accuracy), self.folder.path)
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
