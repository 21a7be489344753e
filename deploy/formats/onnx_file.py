"""ONNX itself, which onnxruntime opens."""

from __future__ import annotations

from deploy.formats._base import Built, Files, Format
from deploy.onnx_file import checked_onnx
from profilers import Engine, RuntimeSetting, Session
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

FILE = "model.onnx"


class OnnxFormat(Format):
    """One file, the model as it is. It runs everywhere; the proof is that of onnxruntime on this processor."""

    name, runtime, triton = "onnx", "onnxruntime", 'platform: "onnxruntime_onnx"'
    int8_form = OnnxRuntimeProfiler.int8_form

    def build(self, model: bytes, setting: RuntimeSetting) -> Built:
        """The model, looked at while it runs."""
        profiler = _profiler(setting)
        compiled = profiler.compile(model)
        return Built({FILE: model}, compiled.proof, profiler.target().runtime_version, compiled.settings)

    def open(self, files: Files, setting: RuntimeSetting) -> Session:
        """A session of onnxruntime, once onnx's own checker has accepted the model."""
        checked_onnx(files[FILE], FILE)
        return _profiler(setting).start(Engine.of(files[FILE]))


def _profiler(setting: RuntimeSetting) -> OnnxRuntimeProfiler:
    return OnnxRuntimeProfiler(setting.threads, setting.batch, setting.precision)
