"""onnxruntime: runs every ONNX model, on the CPU and through its execution providers."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers._base import InputSpec, RuntimeSetting, Session, random_inputs
from profilers.device.nvidia import NvidiaGpu
from profilers.engines.engine import Compiled, Engine
from profilers.engines.layers import EngineLayer, EngineTensor, LayerTime, layer_times
from profilers.engines.proof import prove_kernels
from profilers.runtimes._runtime import ShippedRuntime, first_line

CPU, CUDA, TENSORRT, OPENVINO = (f"{n}ExecutionProvider" for n in ("CPU", "CUDA", "Tensorrt", "OpenVINO"))
_PACKAGES = {CUDA: "onnxruntime-gpu", TENSORRT: "onnxruntime-gpu", OPENVINO: "onnxruntime-openvino"}
_DTYPES = {f"tensor({name})": name for name in ("float16", "uint8", "int8")} | {"tensor(float)": "float32"}
_PRECISIONS = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "int8", "int8": "int8"}
_PRODUCTS = ("Conv", "Gemm", "MatMul")
_WARMUP_RUNS = 3
_CUT_OFF_US = 0.5  # what whole microseconds cut off, on average


class OnnxRuntimeProfiler(ShippedRuntime):
    """onnxruntime with a fixed thread count, batch as the model says, inputs bound on the device before timing.

    What ran is read back from onnxruntime's own profile of one run: a matrix product in another precision or a
    node on another provider is refused. TensorRT and OpenVINO compile the graph into one node that says nothing,
    so these providers are measured in fp32 only, as their options ask.

    Raises `ProfilerError` when onnxruntime is not installed or lacks the provider.
    """

    def __init__(self, threads: int = 1, batch: int = 1, precision: str = "fp32", provider: str = CPU):
        ort = installed("onnxruntime", "onnxruntime")
        if provider not in ort.get_available_providers():
            install = f"; pip install {_PACKAGES[provider]}" if provider in _PACKAGES else ""
            raise ProfilerError(
                f"onnxruntime has no {provider} here; it has {', '.join(ort.get_available_providers())}{install}"
            )
        short = provider.removesuffix("ExecutionProvider").lower()
        runtime = "onnxruntime" if provider == CPU else f"onnxruntime-{short}"
        known = ("fp32",) if provider in (TENSORRT, OPENVINO) else ("fp32", "fp16", "int8")
        gpu = NvidiaGpu() if provider in (CUDA, TENSORRT) else None
        setting = RuntimeSetting(runtime, threads, batch, precision)
        super().__init__(setting, ort.__version__, known, None if gpu is None else gpu.name, gpu)
        self._ort, self._provider, self.quick_to_start = ort, provider, provider == CPU

    def compile(self, model: bytes) -> Compiled:
        """The model as it is, for onnxruntime optimises it anew in every session; what ran in one that was profiled."""
        kernels = self._profiled(model, runs=1)
        for kernel in kernels:
            if (ran_on := kernel["args"]["provider"]) != self._provider:
                raise ProfilerError(f"{_name(kernel)} ran on {ran_on}, not on {self._provider}, which lacks it")
        layers = tuple(map(_layer, kernels))
        products = (layer for layer in layers if any(word in layer.kind for word in _PRODUCTS))
        return Compiled(model, layers, prove_kernels(self._target.precision, products))

    def start(self, engine: Engine) -> Session:
        """A session with random inputs in place."""
        return self._session(engine.content, self._options())

    def layer_times(self, engine: Engine, runs: int) -> tuple[LayerTime, ...]:
        """By onnxruntime's own profile, which counts whole microseconds."""
        kernels = self._profiled(engine.content, _WARMUP_RUNS + runs)
        us = np.array([kernel["dur"] for kernel in kernels], dtype=np.float64).reshape(_WARMUP_RUNS + runs, -1)
        layers = list(map(_layer, kernels[: us.shape[1]]))
        return layer_times(layers, us[_WARMUP_RUNS:] + _CUT_OFF_US)

    def _profiled(self, model: bytes, runs: int) -> list[dict[str, Any]]:
        """The kernels of so many runs, in the order they ran."""
        with tempfile.TemporaryDirectory() as folder:
            options = self._options()
            options.enable_profiling = True
            options.profile_file_prefix = f"{folder}/profile"
            session = self._session(model, options)
            for _ in range(runs):
                session.run()
            kernels = session.kernels()
            session.close()
        return kernels

    def command_line(self, model: Path) -> str | None:
        """onnxruntime_perf_test, from onnxruntime's build; its P50. None on a GPU: it copies inputs in each run."""
        if self._provider != CPU:
            return None
        entries = " ".join(f"{name}|{value}" for name, value in self._spinning.items())
        line = ["onnxruntime_perf_test", "-e", "cpu", "-I", "-x", str(self._target.threads), "-y", "1", "-C", entries]
        return shlex.join([*line, "-m", "times", "-r", "1000", "-s", str(model)])

    @property
    def _spinning(self) -> Mapping[str, str]:
        # Pools that spin between runs steal each other's cores (60 % noise); ones that sleep within a run wake up late
        # (4 %, a third slower): so they spin while a network runs, and stop when it is done (1 %).
        spinning = "1" if self._target.threads > 1 else "0"
        return {"session.intra_op.allow_spinning": spinning, "session.force_spinning_stop": spinning}

    def _options(self) -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self._target.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is in the exception
        for name, value in self._spinning.items():
            options.add_session_config_entry(name, value)
        if self._provider != CPU:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        return options

    def _provider_options(self) -> dict[str, str]:
        if self._provider == CUDA:
            return {"use_tf32": "0"}  # 10 bits of mantissa are not fp32
        if self._provider == OPENVINO:
            return {"device_type": "CPU", "precision": "FP32", "num_of_threads": str(self._target.threads)}
        return {}

    def _session(self, model: bytes, options: Any) -> _OnnxRuntimeSession:
        try:
            providers = [(self._provider, self._provider_options())]
            session = self._ort.InferenceSession(model, options, providers=providers)
            return _OnnxRuntimeSession(self._ort, session, self._target.batch, "cpu" if self._gpu is None else "cuda")
        except ProfilerError:
            raise
        except Exception as e:  # onnxruntime raises a dozen unrelated classes
            raise ProfilerError(f"onnxruntime refuses the model: {first_line(e)}") from None


def _name(kernel: dict[str, Any]) -> str:
    return str(kernel["name"]).removesuffix("_kernel_time")


def _layer(kernel: dict[str, Any]) -> EngineLayer:
    arguments, name = kernel["args"], _name(kernel)
    inputs, outputs = (_tensors(arguments.get(f"{end}_type_shape") or ()) for end in ("input", "output"))
    return EngineLayer(name, arguments["op_name"], inputs, outputs=outputs, onnx_nodes=(name,))


def _tensors(told: Sequence[Mapping[str, Sequence[int]]]) -> tuple[EngineTensor, ...]:
    """onnxruntime says `[{"float": [1, 3, 32, 32]}, ...]`."""
    each = (next(iter(tensor.items())) for tensor in told)
    return tuple(EngineTensor(tuple(shape), _PRECISIONS.get(dtype, dtype)) for dtype, shape in each)


class _OnnxRuntimeSession(Session):
    def __init__(self, ort: Any, session: Any, batch: int, device: str):
        self._session = session
        self._binding = session.io_binding()
        self.input_specs = {
            node.name: InputSpec(
                tuple(n if isinstance(n, int) else batch for n in node.shape), _DTYPES.get(node.type, node.type)
            )
            for node in session.get_inputs()
        }
        arrays = random_inputs(self.input_specs)
        self._in_place = {name: ort.OrtValue.ortvalue_from_numpy(array, device, 0) for name, array in arrays.items()}
        for name, value in self._in_place.items():
            self._binding.bind_ortvalue_input(name, value)
        for node in session.get_outputs():
            self._binding.bind_output(node.name, device)

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as e:  # a dozen unrelated classes here too
            raise ProfilerError(f"onnxruntime cannot run the model: {first_line(e)}") from None

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            return [np.asarray(answer) for answer in self._session.run(None, dict(inputs))]
        except Exception as e:
            raise ProfilerError(f"onnxruntime cannot run the model: {first_line(e)}") from None

    def kernels(self) -> list[dict[str, Any]]:
        """Ends onnxruntime's profiling; the kernels that ran."""
        events = json.loads(Path(self._session.end_profiling()).read_bytes())
        return [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]

    def close(self) -> None:
        del self._binding, self._in_place, self._session
