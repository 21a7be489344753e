"""OpenVINO's intermediate representation: a graph as XML and its weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

from deploy.formats._base import Built, Files, Format
from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers import Engine, RuntimeSetting, Session
from profilers.runtimes._runtime import first_line
from profilers.runtimes.openvino import OpenVinoProfiler

XML, WEIGHTS = "model.xml", "model.bin"


class OpenVinoFormat(Format):
    """`model.xml` and `model.bin`. They run on any processor of OpenVINO; the proof is that of this one."""

    name, runtime, triton = "openvino", "openvino", 'backend: "openvino"'
    int8_form = OpenVinoProfiler.int8_form

    def build(self, model: bytes, setting: RuntimeSetting) -> Built:
        """Convert the model, all weights in the precision that they have there."""
        openvino = installed("openvino", "openvino")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / XML
            try:
                openvino.save_model(openvino.Core().read_model(model), path, compress_to_fp16=False)
            except RuntimeError as e:
                raise ProfilerError(f"openvino refuses the model: {first_line(e)}") from None
            files = {name: (Path(folder) / name).read_bytes() for name in (XML, WEIGHTS)}
        profiler = _profiler(setting)
        compiled = profiler.compile_ir(files[XML], files[WEIGHTS])
        return Built(files, compiled.proof, profiler.target().runtime_version, compiled.settings)

    def open(self, files: Files, setting: RuntimeSetting) -> Session:
        """A session of openvino on the processor."""
        profiler = _profiler(setting)
        return profiler.start(Engine.of(profiler.compile_ir(files[XML], files[WEIGHTS]).content))


def _profiler(setting: RuntimeSetting) -> OpenVinoProfiler:
    return OpenVinoProfiler(setting.threads, setting.batch, setting.precision)
