"""What the report shows of a run."""

from __future__ import annotations

import numpy as np

from deploy.manifest import read_manifest
from deploy.verify import Verification
from hwnas.report import Attempt, ReportData, Usage
from hwnas.run.branches import Branches
from hwnas.run.deployment import Deployment
from hwnas.run.feedback import Outcome
from hwnas.training import Curve


def _arrays(curve: Curve) -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype=float) for name, values in vars(curve).items()}


def report_data(branches: Branches, outcome: Outcome, test_accuracy: float) -> ReportData:
    """Gather the numbers of a finished run."""
    winner, choice, verification, export = outcome.winner, outcome.choice, outcome.verification, outcome.export
    deployment = branches[winner.precision].deployment
    folder, profiling, training = deployment.folder.whole, deployment.profiling, deployment.training
    accuracy_model = training.accuracy_model
    latency, table, held = profiling.latency(), profiling.table, profiling.heldout
    assert latency.calibration is not None
    assert latency.calibration.networks is not None
    networks = latency.calibration.networks.rows(slice(-len(held.measured_ms)))
    ops = profiling.space.ops(winner.arch)
    target, manifest = table.provenance.target, read_manifest(export.path)
    return ReportData(
        title=f"{profiling.space.name} on {target.device}",
        space=profiling.space.name,
        arch=winner.text,
        device=target.device,
        runtime=f"{target.runtime} {target.runtime_version}, {target.threads} thread(s), {target.precision}",
        verified=verification.verified,
        budget_ms=deployment.budget.ms,
        budget_source=deployment.budget.source,
        predicted_ms=winner.predicted_ms,
        predicted_lower_ms=winner.predicted_lower_ms,
        predicted_upper_ms=winner.predicted_upper_ms,
        measured_ms=verification.measured_ms,
        measured_ci95_ms=verification.measured_ci95_ms,
        test_accuracy=test_accuracy,
        winner_accuracy=winner.accuracy,
        random_ms=choice.cloud.ms,
        random_accuracy=choice.cloud.accuracy,
        front_ms=choice.front.ms,
        front_upper_ms=choice.front.upper_ms,
        front_accuracy=choice.front.accuracy,
        front_std=choice.front.std,
        calibration_predicted_ms=latency.calibration.predict_ms(networks.features),
        calibration_measured_ms=networks.measured_ms,
        heldout_predicted_ms=held.prediction.ms,
        heldout_measured_ms=held.measured_ms,
        interval_pct=100 * latency.calibration.relative_half_width,
        heldout_mape_pct=held.mape_pct,
        heldout_within5_pct=held.within_pct(5),
        op_labels=tuple(op.key for op in ops),
        op_ms=latency.op_ms(ops),
        supernet_curve=_arrays(accuracy_model.curve),
        winner_curve=_arrays(training.train(winner.arch).curve),
        predictor_true=np.array(accuracy_model.predictor_fit.true),
        predictor_predicted=np.array(accuracy_model.predictor_fit.predicted),
        predictor_tau=accuracy_model.predictor_fit.tau,
        attempts=tuple(
            Attempt(c.text, c.predicted_ms, c.predicted_upper_ms, v.measured_ms, v.verified)
            for c, v in outcome.attempts
        ),
        usage=Usage(
            file=str(export.path.relative_to(folder.path)),
            takes=manifest.input.describe(),
            gives=manifest.output.describe(),
            snippet=manifest.snippet(),
        ),
        costs=(
            ("parameters", f"{export.params:,}"),
            ("multiply-accumulates", f"{export.macs:,}"),
            ("ONNX file", f"{export.megabytes:.2f} MB, {export.nodes} nodes"),
            ("largest difference from torch, in fp32", f"{export.parity_max_abs:.1e}"),
            *(() if export.lowering is None else ((f"accuracy in {export.precision}", export.lowering.describe()),)),
        ),
        provenance=_provenance(deployment, outcome.verification),
        seconds=folder.seconds_by_kind(),
    )


def _provenance(deployment: Deployment, verification: Verification) -> tuple[tuple[str, str], ...]:
    table, data = deployment.profiling.table, deployment.inputs.data
    provenance, target = table.provenance, table.provenance.target
    sizes = f"{len(data.train)} train, {len(data.validation)} validation, {len(data.test)} test"
    return (
        ("device", target.device),
        ("runtime", f"{target.runtime} {target.runtime_version}"),
        ("precision, batch, threads", f"{target.precision}, {target.batch}, {target.threads}"),
        ("power mode", target.power_mode),
        ("table", f"{len(table.rows)} ops, measured {provenance.measured_at} in {provenance.seconds:.0f} s"),
        ("reference network", f"{provenance.reference_us:.1f} us at its quietest, {provenance.reference_sha256[:12]}"),
        ("protocol", ", ".join(f"{k} {v:g}" for k, v in provenance.protocol.items())),
        ("versions", ", ".join(f"{k} {v}" for k, v in provenance.versions.items())),
        ("wall clock of the shipped model", f"{verification.raw_median_ms:.4g} ms median"),
        ("machine speed when verified", f"reference ran {verification.slowdown:.3f} x its quiet time"),
        ("data", f"{data.name}: {sizes}, {data.digest[:12]}"),
        ("supernet pairs", f"{len(deployment.training.accuracy_model.pairs.accuracy)}"),
        ("seed", str(deployment.settings.seed)),
    )
