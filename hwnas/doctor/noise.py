"""The noise floor: the reference network against itself, visited as a table's ops are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from latency_tables.arrays import Floats
from latency_tables.progress import Progress, silent
from latency_tables.storage.find import shipped_tables
from profilers._base import RuntimeSetting
from profilers.isolated import measure_model
from profilers.protocol import OPS_PROTOCOL

_PROCESSES, _VISITS = 3, 50  # about ten seconds


def measure_noise(progress: Progress = silent) -> Floats:
    """Ratios of the reference network to itself by onnxruntime on one thread, [visits], from three fresh processes.

    Raises `ProfilerError` where onnxruntime is missing, ImportError where the reference is neither shipped nor, without
    torch, can be made.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "reference.onnx"
        model.write_bytes(_reference())
        ratios = []
        for i in range(_PROCESSES):
            progress(i, _PROCESSES, "reference network")
            done = measure_model(model, model, RuntimeSetting("onnxruntime", 1, 1, "fp32"), OPS_PROTOCOL, _VISITS)
            ratios += [float(np.median(visit.ratios)) for visit in done.visits if visit.ratios]
    return np.array(ratios)


def _reference() -> bytes:
    """The fp32 reference network: from a table that ships, so that no torch is needed, or made."""
    for shipped in sorted(shipped_tables().rglob("fp32-1t/*/reference.onnx")):
        return shipped.read_bytes()
    from hwnas.lowering.op_models import reference_network

    return reference_network()
