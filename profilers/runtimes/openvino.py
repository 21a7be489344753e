"""openvino: Intel's runtime, on CPUs, its GPUs and NPUs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers._base import DeviceKind, RuntimeSetting, Session
from profilers.runtimes._runtime import ShippedRuntime, first_line, random_inputs

# In int8 the model says what is quantised; the rest stays fp32, where CPUs with AMX would take bf16 by themselves.
_HINTS = {"fp32": "f32", "fp16": "f16", "int8": "f32"}
_PRECISIONS = {"f32": "fp32", "f16": "fp16", "u8": "int8", "i8": "int8"}
_PRODUCTS = ("Convolution", "FullyConnected", "MatMul")
_KINDS: dict[str, DeviceKind] = {"CPU": "cpu", "GPU": "gpu", "NPU": "npu"}


class OpenVinoProfiler(ShippedRuntime):
    """One stream, latency first, a fixed thread count; precision read back from the graph that openvino compiled.

    `device` is openvino's name: CPU, GPU, NPU. Raises `ProfilerError` when openvino is not installed or lacks it.
    """

    def __init__(self, threads: int = 1, batch: int = 1, precision: str = "fp32", device: str = "CPU"):
        openvino = installed("openvino", "openvino")
        core, on_cpu = openvino.Core(), device == "CPU"
        if device not in (devices := core.available_devices):
            raise ProfilerError(f"openvino has no {device} here (or lacks its driver); it has {', '.join(devices)}")
        name = None if on_cpu else str(core.get_property(device, "FULL_DEVICE_NAME"))
        setting = RuntimeSetting("openvino" if on_cpu else f"openvino-{device.lower()}", threads, batch, precision)
        super().__init__(setting, openvino.__version__.partition("-")[0], _HINTS, name)
        self.device_kind, self.quick_to_start = _KINDS[device.partition(".")[0]], on_cpu
        self._openvino, self._core, self._device = openvino, core, device

    def load(self, model: bytes, known: Any) -> tuple[Session, Any]:
        """Compile a model from its bytes and bind random inputs; inspect what was built unless it is `known`."""
        try:
            graph = self._core.read_model(model)
            shapes = {port: [self._size(n) for n in port.get_partial_shape()] for port in graph.inputs}
            graph.reshape(shapes)
            compiled = self._core.compile_model(graph, self._device, self._config())
        except Exception as e:  # openvino raises bare RuntimeErrors
            raise ProfilerError(f"openvino refuses the model: {first_line(e)}") from None
        if not known:
            self._inspect(compiled)
        return _OpenVinoSession(self._openvino, compiled), True

    def _size(self, dimension: Any) -> int:
        return int(dimension.get_length()) if dimension.is_static else self._target.batch

    def _config(self) -> dict[str, Any]:
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": _HINTS[self._target.precision]}
        if self._device != "CPU":
            return config
        # `quiet` pins the process; a second pinning by openvino would choose other cores.
        threads = {"INFERENCE_NUM_THREADS": self._target.threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
        return config | threads

    def _inspect(self, compiled: Any) -> None:
        target = self._target
        if self._device == "CPU" and (given := int(compiled.get_property("INFERENCE_NUM_THREADS"))) != target.threads:
            raise ProfilerError(f"openvino runs on {given} threads here, not on {target.threads}: ask for {given}")
        for op in compiled.get_runtime_model().get_ordered_ops():
            info = op.get_rt_info()
            kind, precision = (info[key].astype(str) for key in ("layerType", "runtimePrecision"))
            if kind in _PRODUCTS:
                self.require_precision(op.get_friendly_name(), kind, _PRECISIONS.get(precision, precision))


class _OpenVinoSession(Session):
    def __init__(self, openvino: Any, compiled: Any):
        self._request = compiled.create_infer_request()
        shapes = {
            port.get_any_name(): (port.get_shape(), np.dtype(port.get_element_type().to_dtype()).name)
            for port in compiled.inputs
        }
        for name, array in random_inputs(shapes).items():
            self._request.set_tensor(name, openvino.Tensor(array))

    def run(self) -> None:
        try:
            self._request.infer(share_outputs=True)
        except RuntimeError as e:
            raise ProfilerError(f"openvino cannot run the model: {first_line(e)}") from None

    def outputs(self) -> list[NDArray[Any]]:
        self.run()
        return [np.array(tensor.data) for tensor in self._request.output_tensors]

    def close(self) -> None:
        del self._request
