"""The verbs of a run: parse, call, print."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.display import ConsoleDisplay
from latency_tables import HwnasError

if TYPE_CHECKING:
    from hwnas.run import Run

Given = dict[str, Any]
Answer = tuple[dict[str, Any], str, int]
"""What a verb says: an object for machines, a text for people, the exit code."""


def _with_run(
    verb: str, given: Given, out: Path | None, resume: bool, as_json: bool, work: Callable[[Run], Answer]
) -> int:
    from hwnas.run.check import check_run
    from hwnas.run.folder import RunFolder
    from hwnas.run.settings import Settings

    fresh = verb == "run"
    path = out or Path("runs") / str(given.get("space", Settings().space)).rpartition(":")[2]
    stored = (path / "run.json").exists()
    before = asdict(RunFolder.settings_of(path)) if resume or (stored and not fresh) else {}
    if not resume:
        before.pop("arch", None)  # --arch is for one command: the next one is about the winner again
    settings = Settings(**{**before, **given}).absolute()
    check_run(settings, path, verb)
    from hwnas.run import Run  # late: what is refused needs no second of imports

    with Run(settings, path, ConsoleDisplay()) as run:
        if fresh:
            run.folder.store()
        answer, text, code = work(run)
    print(json.dumps(answer, default=float) if as_json else text)
    return code


def run(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Profile this device, search under the budget, ship the winner: PASS or FAIL."""

    def work(run: Run) -> Answer:
        result = run.result()
        verdict = "PASS" if result["verified"] else "FAIL"
        text = (
            f"{verdict}: {result['arch']}\n"
            f"  measured {result['measured_ms']:.4g} ms, predicted {result['predicted_ms']:.4g} ms "
            f"(at most {result['predicted_upper_ms']:.4g} ms), budget {result['budget_ms']:.4g} ms\n"
            f"  test accuracy {100 * result['test_accuracy']:.2f} %\n"
            f"  report {run.folder.path / 'report.html'}"
        )
        return result, text, 0 if result["verified"] else 1

    if "arch" in given:
        raise HwnasError("--arch goes with train, export or verify; run searches for one itself")
    return _with_run("run", given, out, resume, as_json, work)


def profile(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Measure every op of the space on this device, and calibrate on whole networks."""

    def work(run: Run) -> Answer:
        run.profile()
        held, table = run.profiling.heldout, run.profiling.table
        answer = {
            "table": str(run.profiling.table_folder),
            "ops": len(table.rows),
            "heldout_mape_pct": held.mape_pct,
            "heldout_within5_pct": held.within_pct(5),
            "seconds": run.folder.seconds_by_kind(),
        }
        return answer, f"latency table of {len(table.rows)} ops: {run.profiling.table_folder}", 0

    return _with_run("profile", given, out, resume, as_json, work)


def train_supernet(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Train the weight-sharing supernet, and the accuracy predictor on it."""

    def work(run: Run) -> Answer:
        largest, tau = run.accuracy_model.curve.validation_accuracy[-1], run.accuracy_model.predictor_fit.tau
        known = None if tau != tau else tau  # JSON has no NaN
        answer = {
            "largest_validation_accuracy": largest,
            "predictor_tau": known,
            "seconds": run.folder.seconds_by_kind(),
        }
        text = f"supernet: largest network {100 * largest:.2f} % on validation; predictor: Kendall's tau {tau:.2f}"
        return answer, text, 0

    return _with_run("train-supernet", given, out, resume, as_json, work)


def search(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Find the most accurate network whose upper latency bound is inside the budget."""

    def work(run: Run) -> Answer:
        run.search_stage.require_feasible()
        choice = run.search_stage.choose(1)
        best = choice.finalists[0]
        answer = {
            "arch": best.text,
            "budget_ms": run.budget.ms,
            "predicted_ms": best.predicted_ms,
            "predicted_upper_ms": best.predicted_upper_ms,
            "predicted_accuracy": best.accuracy,
            "finalists": [c.text for c in choice.finalists],
            "front": [
                {"arch": run.profiling.space.to_text(a), "ms": float(ms), "accuracy": float(accuracy)}
                for a, ms, accuracy in zip(choice.front.population, choice.front.ms, choice.front.accuracy, strict=True)
            ],
        }
        text = f"first finalist: {best.text}\n  {best.predicted_ms:.4g} ms, at most {best.predicted_upper_ms:.4g} ms"
        return answer, text, 0

    return _with_run("search", given, out, resume, as_json, work)


def train(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Train the winner, or the network given by --arch."""

    def work(run: Run) -> Answer:
        arch = run.chosen()
        trained, where = run.deployment.train(arch), run.deployment.candidate(arch)
        validation = trained.curve.validation_accuracy[-1]
        text = run.profiling.space.to_text(arch)
        answer = {"arch": text, "validation_accuracy": validation, "weights": str(where / "weights.safetensors")}
        return answer, f"{text}\n  {100 * validation:.2f} % on validation, {where}", 0

    return _with_run("train", given, out, resume, as_json, work)


def export(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Export the winner, or the network given by --arch, to checked ONNX."""

    def work(run: Run) -> Answer:
        done = run.deployment.export(run.chosen())
        answer = {**asdict(done), "path": str(done.path)}
        return answer, f"{done.path}: {done.nodes} nodes, differs from torch by {done.parity_max_abs:.1e} at most", 0

    return _with_run("export", given, out, resume, as_json, work)


def verify(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Measure the winner, or the network given by --arch, on the device in a fresh process: PASS or FAIL."""

    def work(run: Run) -> Answer:
        v = run.deployment.verify(run.chosen())
        low, high = v.measured_ci95_ms
        text = f"{v.verdict}: {v.measured_ms:.4g} ms (95 %: {low:.4g} to {high:.4g}), budget {v.budget_ms:.4g} ms"
        return asdict(v), text, 0 if v.verified else 1

    return _with_run("verify", given, out, resume, as_json, work)


def report(given: Given, out: Path | None, resume: bool, as_json: bool) -> int:
    """Write the report of a run, doing whatever it still lacks."""

    def work(run: Run) -> Answer:
        result = run.result()
        return result, str(run.folder.path / "report.html"), 0 if result["verified"] else 1

    return _with_run("report", given, out, resume, as_json, work)
