"""All checks in the order in which their findings are told, and the one that measures: the noise floor."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from hwnas.doctor import Finding
from hwnas.doctor.machine import machine_findings, noise, steal
from hwnas.doctor.readings import read_machine, read_ticks
from hwnas.doctor.software import extra_findings, read_extras, runtime_findings, runtime_states
from hwnas.lowering.reference import reference_model
from latency_tables import HwnasError
from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent
from profilers._base import RuntimeSetting
from profilers.isolated import measure_model
from profilers.protocol import OPS_PROTOCOL

_PROCESSES, _VISITS = 3, 50  # about ten seconds


def examine(progress: Progress = silent) -> list[Finding]:
    """Look at this machine for about ten seconds: what would disturb a measurement, and what is installed."""
    findings = machine_findings(read_machine())  # before the noise is measured, which is a load itself
    before = read_ticks()
    noise_floor = _noise(progress)
    after = read_ticks()
    stolen = None if before is None or after is None else after.stolen_pct(before)
    software = [*runtime_findings(runtime_states()), *extra_findings(*read_extras())]
    return [*findings, steal(stolen), noise_floor, *software]


def _noise(progress: Progress) -> Finding:
    try:
        return noise(_measured_noise(progress))
    except (HwnasError, ImportError) as e:
        return Finding("noise", "note", f"not measured: {e}", "pip install 'hwnas[onnxruntime]'")


def _measured_noise(progress: Progress) -> Floats:
    """Ratios of the reference network to itself by onnxruntime on one thread, [visits], from three fresh processes.

    It is visited as a table's ops are. Raises `ProfilerError` where onnxruntime is missing, ImportError where there is
    no reference, see `reference_model`.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "reference.onnx"
        model.write_bytes(reference_model())
        ratios = []
        for i in range(_PROCESSES):
            progress(i, _PROCESSES, "reference network")
            done = measure_model(model, model, RuntimeSetting("onnxruntime", 1, 1, "fp32"), OPS_PROTOCOL, _VISITS)
            ratios += [float(np.median(visit.ratios)) for visit in done.visits if visit.ratios]
    return np.array(ratios)
