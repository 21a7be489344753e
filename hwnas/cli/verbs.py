"""The verbs of a run: ask it, and say what came of it. Each docstring is the help, with an example."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from hwnas.cli.answer import Answer, columns

if TYPE_CHECKING:
    from hwnas.run import Run


def run(run: Run) -> Answer:
    """Profile this device, search under the budget, ship the winner: PASS or FAIL.

    \b
    Example:
      hwnas run --data photos/ --budget-ms 0.3 --out runs/photos
      hwnas run --resume --out runs/photos
    """
    result = run.result()
    verdict, code = _verdict(result["verified"])
    text = (
        f"{verdict}: {result['arch']}\n"
        f"  measured {result['measured_ms']:.4g} ms, predicted {result['predicted_ms']:.4g} ms "
        f"(at most {result['predicted_upper_ms']:.4g} ms), budget {result['budget_ms']:.4g} ms\n"
        f"  test accuracy {100 * result['test_accuracy']:.2f} %\n"
        f"  report {run.folder.path / 'report.html'}"
    )
    return Answer(result, text, code)


def profile(run: Run) -> Answer:
    """Measure every op of the space on this device, and calibrate on whole networks.

    \b
    Example:
      hwnas profile --space mbconv-112 --threads 2 --out runs/two-threads
    """
    run.profile()
    tables, lines = [], []
    for profiling in (branch.profiling for branch in run.branches):
        held, where, ops = profiling.heldout, str(profiling.table_folder), len(profiling.table.rows)
        told = {"heldout_mape_pct": held.mape_pct, "heldout_within5_pct": held.within_pct(5)}
        tables.append({"table": where, "ops": ops, **told})
        lines.append(f"latency table of {ops} ops: {where}")
    others = {"others": tables[1:]} if len(tables) > 1 else {}
    return Answer({**tables[0], **others, "seconds": run.folder.seconds_by_kind()}, "\n".join(lines))


def train_supernet(run: Run) -> Answer:
    """Train the weight-sharing supernet, and the accuracy predictor on it.

    \b
    Example:
      hwnas train-supernet --data photos/ --supernet-epochs 20 --out runs/photos
    """
    largest, tau = run.accuracy_model.curve.validation_accuracy[-1], run.accuracy_model.predictor_fit.tau
    record = {
        "largest_validation_accuracy": largest,
        "predictor_tau": tau,
        "seconds": run.folder.seconds_by_kind(),
    }
    text = f"supernet: largest network {100 * largest:.2f} % on validation; predictor: Kendall's tau {tau:.2f}"
    return Answer(record, text)


def search(run: Run) -> Answer:
    """Find the most accurate network whose upper latency bound is inside the budget.

    \b
    Example:
      hwnas search --budget-ms 0.25 --out runs/photos
    """
    choice = run.branches.choose({})
    best, front = choice.finalists[0], choice.front
    numbers = front.ms.tolist(), front.accuracy.tolist()
    told = zip(choice.front_precisions, front.population, *numbers, strict=True)
    record = {
        "arch": best.text,
        "precision": best.precision,
        "budget_ms": run.branches.budget.ms,
        "predicted_ms": best.predicted_ms,
        "predicted_upper_ms": best.predicted_upper_ms,
        "predicted_true_class_probability": best.accuracy,
        "finalists": [c.text for c in choice.finalists],
        "front": [
            {"arch": run.inputs.space.to_text(arch), "precision": precision, "ms": ms, "true_class_probability": score}
            for precision, arch, ms, score in told
        ],
    }
    text = f"first finalist: {best.text}\n  {best.predicted_ms:.4g} ms, at most {best.predicted_upper_ms:.4g} ms"
    return Answer(record, text)


def pareto(run: Run) -> Answer:
    """List the Pareto front of the search; with --verify, measure some of its networks and draw front.png.

    \b
    Example:
      hwnas pareto --verify 8 --out runs/photos
    """
    count = run.settings.verify
    measured = None if count is None else run.front.measured(count)
    front = run.front.predicted() if measured is None else measured.predicted
    p, texts = front.prediction, [run.inputs.space.to_text(arch) for arch in front.networks.population]
    told = {"true_class_probability": front.networks.accuracy}
    told |= {"ms": p.ms, "lower_ms": p.lower_ms, "upper_ms": p.upper_ms}
    heads = ["probability", "ms", "lower", "upper"]
    if measured is not None:
        told["measured_ms"] = measured.agreement.measured_ms
        told |= dict(zip(("measured_low_ms", "measured_high_ms"), measured.ci95_ms.T, strict=True))
        heads += ["measured", "low", "high"]
    rows = [dict(zip(told, map(float, row), strict=True)) for row in zip(*told.values(), strict=True)]
    each = list(zip(texts, front.precisions, rows, strict=True))
    record: dict[str, object] = {"networks": [{"arch": text, "precision": how, **row} for text, how, row in each]}
    cells = [(*(f"{value:.4g}" for value in row.values()), how, text) for text, how, row in each]
    text = columns((*heads, "precision", "arch"), cells)
    if measured is None:
        return Answer(record, text)
    a, plot = measured.agreement, measured.plot
    record |= {"inside_interval": a.inside, "mape_pct": a.mape_pct, "bias_pct": a.bias_pct, "plot": str(plot)}
    text += (
        f"\n{a.inside} of {len(texts)} inside the predicted 90 % interval; {a.mape_pct:.2f} % off on average\n  {plot}"
    )
    return Answer(record, text)


def train(run: Run) -> Answer:
    """Train the winner, or the network given by --arch.

    \b
    Example:
      hwnas train --train-epochs 20 --out runs/photos
    """
    _, arch = run.chosen()
    trained, where = run.training.train(arch), run.training.candidate(arch)
    validation = trained.curve.validation_accuracy[-1]
    text = run.inputs.space.to_text(arch)
    record = {"arch": text, "validation_accuracy": validation, "weights": str(where / "weights.safetensors")}
    return Answer(record, f"{text}\n  {100 * validation:.2f} % on validation, {where}")


def export(run: Run) -> Answer:
    """Export the winner, or the network given by --arch, to checked ONNX; with --to, to a folder to hand over.

    \b
    Example:
      hwnas export --arch mbconv-32:se3k7/mb6k7/fu3k3/mb4k7,mb6k7 --out runs/photos
      hwnas export --to onnx,openvino --precision fp32,int8 --out runs/photos
    """
    branch, arch = run.chosen()
    done = branch.deployment.export(arch)
    how = done.lowering
    record = {**asdict(done), "path": str(done.path), "lowering": None if how is None else how.to_json()}
    text = f"{done.path}: {done.nodes} nodes, differs from torch by {done.parity_max_abs:.1e} at most"
    return Answer(record, text if how is None else f"{text} in fp32\n  {done.precision}: {how.describe()}")


def verify(run: Run) -> Answer:
    """Measure the winner, or the network given by --arch, on the device in a fresh process: PASS or FAIL.

    With FOLDER: check a folder of `hwnas export --to`, whoever made it; 3 is the exit code of INCONCLUSIVE.

    \b
    Example:
      hwnas verify --budget-ms 0.3 --out runs/photos
      hwnas verify --budget-ms 0.3 runs/photos/handover
    """
    branch, arch = run.chosen()
    v = branch.deployment.verify(arch)
    low, high = v.measured_ci95_ms
    verdict, code = _verdict(v.verified)
    text = f"{verdict}: {v.measured_ms:.4g} ms (95 %: {low:.4g} to {high:.4g}), budget {v.budget_ms:.4g} ms"
    return Answer(asdict(v), text, code)


def report(run: Run) -> Answer:
    """Write the report of a run, doing whatever it still lacks.

    \b
    Example:
      hwnas report --out runs/photos
    """
    result = run.result()
    verdict, code = _verdict(result["verified"])
    return Answer(result, f"{verdict}: {run.folder.path / 'report.html'}", code)


def _verdict(verified: bool) -> tuple[str, int]:
    """The word for people and the exit code."""
    return ("PASS", 0) if verified else ("FAIL", 1)


VERBS = (run, profile, train_supernet, search, pareto, train, report)
"""Those without more than a run's options; for `export` and `verify` see `hwnas.cli.handover`."""
