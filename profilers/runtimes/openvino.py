"""openvino: Intel's runtime, on CPUs, its GPUs and NPUs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers._base import DeviceKind, InputSpec, RuntimeSetting, Session, random_inputs
from profilers.engines.engine import Compiled, Engine
from profilers.engines.layers import EngineLayer, EngineTensor
from profilers.engines.proof import prove_kernels
from profilers.runtimes._runtime import ShippedRuntime, first_line

# In int8 the model says what is quantised; the rest stays fp32, where CPUs with AMX would take bf16 by themselves.
_HINTS = {"fp32": "f32", "fp16": "f16", "int8": "f32"}
_PRECISIONS = {"f32": "fp32", "f16": "fp16", "u8": "int8", "i8": "int8"}
_PRODUCTS = ("Convolution", "FullyConnected", "MatMul")
_KINDS: dict[str, DeviceKind] = {"CPU": "cpu", "GPU": "gpu", "NPU": "npu"}


@cache
def _core() -> Any:
    """One for this process: openvino takes over the stack of signal handlers, and of several that end, frees it in use.

    The next signal that a handler wants, of a child that ended, say, would be the end of this process, on CPUs with
    AVX-512 (seen in openvino 2026.4).
    """
    return installed("openvino", "openvino").Core()


class OpenVinoProfiler(ShippedRuntime):
    """One stream, latency first, a fixed thread count; precision read back from the graph that openvino compiled.

    `device` is openvino's name: CPU, GPU, NPU. Raises `ProfilerError` when openvino is not installed or lacks it.
    """

    def __init__(self, threads: int = 1, batch: int = 1, precision: str = "fp32", device: str = "CPU"):
        openvino = installed("openvino", "openvino")
        core, on_cpu = _core(), device == "CPU"
        if device not in (devices := core.available_devices):
            raise ProfilerError(f"openvino has no {device} here (or lacks its driver); it has {', '.join(devices)}")
        name = None if on_cpu else str(core.get_property(device, "FULL_DEVICE_NAME"))
        setting = RuntimeSetting("openvino" if on_cpu else f"openvino-{device.lower()}", threads, batch, precision)
        super().__init__(setting, openvino.__version__.partition("-")[0], _HINTS, name)
        self.device_kind, self.quick_to_start = _KINDS[device.partition(".")[0]], on_cpu
        self._openvino, self._core, self._device = openvino, core, device

    def compile(self, model: bytes) -> Compiled:
        """Compile a model for the batch asked; what `start` imports is openvino's own form of it."""
        return self._compiled(model)

    def compile_ir(self, xml: bytes, weights: bytes) -> Compiled:
        """The same of a model in openvino's own files, model.xml and model.bin."""
        return self._compiled(xml, weights)

    def _compiled(self, *model: bytes) -> Compiled:
        try:
            graph = self._core.read_model(*model)
            graph.reshape({port: [self._size(n) for n in port.get_partial_shape()] for port in graph.inputs})
            compiled = self._core.compile_model(graph, self._device, self._config())
        except Exception as e:  # openvino raises bare RuntimeErrors
            raise ProfilerError(f"openvino refuses the model: {first_line(e)}") from None
        target = self._target
        if self._device == "CPU" and (given := int(compiled.get_property("INFERENCE_NUM_THREADS"))) != target.threads:
            raise ProfilerError(f"openvino runs on {given} threads here, not on {target.threads}: ask for {given}")
        layers = tuple(map(_layer, compiled.get_runtime_model().get_ordered_ops()))
        proof = prove_kernels(target.precision, (layer for layer in layers if layer.kind in _PRODUCTS))
        return Compiled(compiled.export_model().getvalue(), layers, proof)

    def start(self, engine: Engine) -> Session:
        """A session with random inputs in place."""
        try:
            compiled = self._core.import_model(BytesIO(engine.content), self._device, self._config())
        except Exception as e:
            raise ProfilerError(f"openvino refuses the engine: {first_line(e)}") from None
        return _OpenVinoSession(self._openvino, compiled)

    def command_line(self, model: Path) -> str:
        """openvino's benchmark_app, which comes with it; its median."""
        line = ["benchmark_app", "-m", str(model), "-d", self._device, "-api", "sync", "-t", "10"]
        line += ["-infer_precision", _HINTS[self._target.precision]]
        if self._device == "CPU":
            line += ["-hint", "none", "-nstreams", "1", "-nthreads", str(self._target.threads), "-pin", "NO"]
        else:
            line += ["-hint", "latency"]
        return shlex.join(line)

    def _size(self, dimension: Any) -> int:
        return int(dimension.get_length()) if dimension.is_static else self._target.batch

    def _config(self) -> dict[str, Any]:
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[self._target.precision]}
        if self._device != "CPU":
            return config
        # `quiet` pins the process; a second pinning by openvino would choose other cores.
        threads = {"INFERENCE_NUM_THREADS": self._target.threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
        return config | threads


def _layer(op: Any) -> EngineLayer:
    said = {key: value.astype(str) for key, value in op.get_rt_info().items()}
    precision = _PRECISIONS.get(said["runtimePrecision"], said["runtimePrecision"])
    formats = said.get("outputLayouts", "").split(",")
    outputs = (
        EngineTensor(_shape(port), precision, layout)
        for port, layout in zip_longest(op.outputs(), formats[: len(op.outputs())], fillvalue="")
    )
    return EngineLayer(
        name=op.get_friendly_name(),
        kind=said["layerType"],
        inputs=tuple(EngineTensor(_shape(port), precision) for port in op.inputs()),
        outputs=tuple(outputs),
        onnx_nodes=tuple(name for name in said.get("originalLayersNames", "").split(",") if name),
        tactic=said.get("primitiveType", ""),
    )


def _shape(port: Any) -> tuple[int, ...]:
    shape = port.get_partial_shape()
    return tuple(int(n.get_length()) if n.is_static else -1 for n in shape)


class _OpenVinoSession(Session):
    def __init__(self, openvino: Any, compiled: Any):
        self._compiled, self._request = compiled, compiled.create_infer_request()
        self.input_specs = {
            port.get_any_name(): InputSpec(tuple(port.get_shape()), np.dtype(port.get_element_type().to_dtype()).name)
            for port in compiled.inputs
        }
        for name, array in random_inputs(self.input_specs).items():
            self._request.set_tensor(name, openvino.Tensor(array))

    def run(self) -> None:
        try:
            self._request.infer(share_outputs=True)
        except RuntimeError as e:
            raise ProfilerError(f"openvino cannot run the model: {first_line(e)}") from None

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            answers = self._compiled.create_infer_request().infer(dict(inputs))
        except (RuntimeError, TypeError) as e:
            raise ProfilerError(f"openvino cannot run the model: {first_line(e)}") from None
        return [np.array(answer) for answer in answers.values()]

    def close(self) -> None:
        del self._request, self._compiled
