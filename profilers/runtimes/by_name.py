"""Runtimes by the names that tables and the command line know them by."""

from __future__ import annotations

from latency_tables import ProfilerError, Target
from profilers._base import Profiler
from profilers.runtimes.ncnn import NcnnProfiler
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler
from profilers.runtimes.openvino import OpenVinoProfiler
from profilers.runtimes.torch import TorchProfiler

RUNTIMES = (
    "onnxruntime",
    "onnxruntime-cuda",
    "onnxruntime-tensorrt",
    "onnxruntime-openvino",
    "openvino",
    "openvino-gpu",
    "openvino-npu",
    "torch",
    "torch-compiled",
    "torch-cuda",
    "torch-compiled-cuda",
    "ncnn",
)
_PROVIDERS = {"": "CPU", "cuda": "CUDA", "tensorrt": "Tensorrt", "openvino": "OpenVINO"}


def make_profiler(runtime: str, threads: int, batch: int, precision: str = "fp32") -> Profiler:
    """The profiler of a runtime's name, which is what its `target().runtime` says.

    Raises `ProfilerError` that names the known runtimes, says what to install, or what this one cannot do.
    """
    if runtime not in RUNTIMES:
        raise ProfilerError(f"unknown runtime {runtime!r}; there are {', '.join(RUNTIMES)}")
    name, _, how = runtime.partition("-")
    match name:
        case "onnxruntime":
            return OnnxRuntimeProfiler(threads, batch, f"{_PROVIDERS[how]}ExecutionProvider", precision)
        case "openvino":
            return OpenVinoProfiler(threads, batch, precision, how.upper() or "CPU")
        case "torch":
            device = "cuda" if "cuda" in how else "cpu"
            return TorchProfiler(threads, batch, precision, compiled="compiled" in how, device=device)
        case _:
            return NcnnProfiler(threads, batch, precision)


def profiler_for(target: Target) -> Profiler:
    """The profiler here of what a table was measured with; whether this device is that one, `Target.require` says."""
    return make_profiler(target.runtime, target.threads, target.batch, target.precision)
