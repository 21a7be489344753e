"""Plans of TensorRT: native code for one kind of GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deploy.formats._base import Built, Files, Format
from latency_tables import ProfilerError
from profilers import Engine, RuntimeSetting, Session
from profilers.device.cuda import open_cuda
from profilers.runtimes.tensorrt.build import BuildSettings, build_plan
from profilers.runtimes.tensorrt.package import TENSORRT, TENSORRT_RTX, find_tensorrt
from profilers.runtimes.tensorrt.runtime import TensorRtProfiler

BATCHES = (1, 8, 32)
"""Least, usual and most images at once of a plan whose batch is dynamic."""


class TensorRtFormat(Format):
    """`model.plan` for the GPU that is here, or a plan for each compute capability ("8.6") asked for.

    Every matrix product must run in the precision asked for.
    """

    name, runtime, is_engine = "tensorrt", TENSORRT, True
    triton: ClassVar[str | None] = 'platform: "tensorrt_plan"'
    int8_form = TensorRtProfiler.int8_form

    def __init__(self, capabilities: Sequence[str] = ()):
        self._capabilities = tuple(capabilities)

    def build(self, model: bytes, setting: RuntimeSetting) -> Built:
        """A plan per compute capability; those of TensorRT for RTX are built without a GPU."""
        package = find_tensorrt(self.runtime)
        gpu = "" if self._capabilities else _gpu()
        files: dict[str, bytes] = {}
        for capability in self._capabilities or (None,):
            settings = BuildSettings(capability=capability, batches=BATCHES)
            compiled, _ = build_plan(package, model, setting.precision, settings)
            compiled.proof.require(self.runtime)
            files[_file(capability)] = compiled.content
        built_with = {**compiled.settings, "capability": " ".join(self._capabilities) or gpu}
        return Built(files, compiled.proof, package.version, built_with)

    def open(self, files: Files, setting: RuntimeSetting) -> Session:
        """A session on the GPU that is here, with the plan for it."""
        profiler = TensorRtProfiler(setting.threads, setting.batch, setting.precision, self.runtime)
        with open_cuda() as cuda:
            wanted = _file(cuda.info()["capability"])
        if (plan := files.get(wanted) or files.get(_file(None))) is None:
            raise ProfilerError(f"there is no plan for this GPU: no {wanted} among {', '.join(files)}")
        return profiler.start(Engine.of(plan))


class TensorRtRtxFormat(TensorRtFormat):
    """The same of TensorRT for RTX, whose plans Triton's server does not open."""

    name: ClassVar[str] = "tensorrt-rtx"
    runtime: ClassVar[str] = TENSORRT_RTX
    triton: ClassVar[str | None] = None


def _file(capability: str | None) -> str:
    return "model.plan" if capability is None else f"model-sm{capability.replace('.', '')}.plan"


def _gpu() -> str:
    """The GPU that is here, in words."""
    try:
        with open_cuda() as cuda:
            return " ".join(cuda.info().values())
    except ProfilerError as e:
        raise ProfilerError(f"{e}; say what to build for: --capability 8.6, with tensorrt-rtx") from None
