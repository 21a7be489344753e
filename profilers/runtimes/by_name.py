"""Runtimes by the names that tables and the command line know them by, or a user's own by its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from latency_tables import ProfilerError, Target
from latency_tables.plugins import is_own, make_own
from profilers._base import Profiler, RuntimeSetting
from profilers.runtimes import onnxruntime as ort
from profilers.runtimes.ncnn import NcnnProfiler
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler
from profilers.runtimes.openvino import OpenVinoProfiler
from profilers.runtimes.tensorrt.package import TENSORRT_RTX
from profilers.runtimes.tensorrt.runtime import TensorRtProfiler
from profilers.runtimes.torch import TorchProfiler

RUNTIMES: Mapping[str, Callable[..., Profiler]] = {
    "onnxruntime": OnnxRuntimeProfiler,
    "onnxruntime-cuda": partial(OnnxRuntimeProfiler, provider=ort.CUDA),
    "onnxruntime-tensorrt": partial(OnnxRuntimeProfiler, provider=ort.TENSORRT),
    "onnxruntime-openvino": partial(OnnxRuntimeProfiler, provider=ort.OPENVINO),
    "openvino": OpenVinoProfiler,
    "openvino-gpu": partial(OpenVinoProfiler, device="GPU"),
    "openvino-npu": partial(OpenVinoProfiler, device="NPU"),
    "torch": TorchProfiler,
    "torch-compiled": partial(TorchProfiler, compiled=True),
    "torch-cuda": partial(TorchProfiler, device="cuda"),
    "torch-compiled-cuda": partial(TorchProfiler, compiled=True, device="cuda"),
    "ncnn": NcnnProfiler,
    "tensorrt": TensorRtProfiler,
    "tensorrt-rtx": partial(TensorRtProfiler, package=TENSORRT_RTX),
}
"""What makes each runtime from `threads`, `batch` and `precision`."""


def make_profiler(runtime: str, threads: int, batch: int, precision: str = "fp32") -> Profiler:
    """The profiler of a runtime's name, which is what its `target().runtime` says, or of `file.py:ClassName`.

    Raises `HwnasError` that names the known runtimes, says what to install, or what this one cannot do.
    """
    settings = {"threads": threads, "batch": batch, "precision": precision}
    if is_own(runtime):
        file, _, name = runtime.rpartition(":")
        runtime = f"{Path(file).resolve()}:{name}"  # another process may stand elsewhere
        profiler = make_own(runtime, Profiler, "runtime", **settings)  # type: ignore[type-abstract]
    elif runtime in RUNTIMES:
        profiler = RUNTIMES[runtime](**settings)
    else:
        raise ProfilerError(
            f"unknown runtime {runtime!r}; there are {', '.join(RUNTIMES)}, or your own: file.py:ClassName"
        )
    vars(profiler)["spec"] = RuntimeSetting(runtime, threads, batch, precision)
    return profiler


def profiler_for(target: Target, runtime: str | None = None) -> Profiler:
    """The profiler here of what a table was measured with; whether this device is that one, `Target.require` says.

    `runtime`: `file.py:ClassName` of one's own, which a table knows only by the name that it gives itself.
    """
    return make_profiler(runtime or target.runtime, target.threads, target.batch, target.precision)
