"""torch as an inference runtime, eager and compiled, on the CPU and on CUDA; torch.py would read as torch itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers._base import RuntimeSetting, Session, random_inputs
from profilers.device.nvidia import NvidiaGpu
from profilers.engines.engine import Compiled, Engine
from profilers.engines.layers import EngineLayer, EngineTensor
from profilers.engines.proof import prove_kernels
from profilers.runtimes._runtime import ShippedRuntime, first_line
from profilers.runtimes.onnx_reader import OnnxGraph, OnnxNode, read_graph
from profilers.runtimes.torch_module import KNOWN_OPS, module_from_graph

_PRECISIONS = {"float32": "fp32", "float16": "fp16"}
_PRODUCTS = ("Conv", "Gemm")


class TorchProfiler(ShippedRuntime):
    """An ONNX graph rebuilt as a torch module, in the precision of the model's own weights.

    While a session is open, torch's process-wide thread count is ours and its fp32 is IEEE's, not TF32 or bf16. A
    compiled model is kept, so that it is compiled once however often it is opened.

    Raises `ProfilerError` when torch is not installed or has no such device, which is "cpu" or "cuda".
    """

    def __init__(
        self, threads: int = 1, batch: int = 1, precision: str = "fp32", compiled: bool = False, device: str = "cpu"
    ):
        torch, on_gpu = installed("torch", "search"), device == "cuda"
        if device not in ("cpu", "cuda") or (on_gpu and not torch.cuda.is_available()):
            raise ProfilerError(f"torch has no {device} device here")
        name, gpu = torch.cuda.get_device_name() if on_gpu else None, NvidiaGpu() if on_gpu else None
        runtime = "-".join(["torch", *["compiled"] * compiled, *["cuda"] * on_gpu])
        setting = RuntimeSetting(runtime, threads, batch, precision)
        super().__init__(setting, torch.__version__, _PRECISIONS.values(), name, gpu)
        self._torch, self._device, self._is_compiled = torch, device, compiled
        self._settings = _ProcessSettings(torch, threads)
        self._modules: dict[str, Any] = {}

    def compile(self, model: bytes) -> Compiled:
        """The model as it is; torch has no file of a compiled module, which is kept here in memory."""
        graph = self._graph(model)
        layers = tuple(_layer(graph, node) for node in graph.nodes)
        proof = prove_kernels(self._target.precision, (layer for layer in layers if layer.kind in _PRODUCTS))
        return Compiled(model, layers, proof)

    def start(self, engine: Engine) -> Session:
        """A module with random inputs in place that has run once, so that what fails fails here."""
        graph = self._graph(engine.content)
        self._settings.take()
        try:
            if (module := self._modules.get(engine.model_sha256)) is None:
                module = self._module(graph)
                if self._is_compiled:
                    self._modules[engine.model_sha256] = module
            kind = _TorchSession if self._gpu is None else _CudaSession
            session = kind(self._torch, module, graph, self._device, self._settings)
            session.run()
        except BaseException:
            self._settings.leave()
            raise
        return session

    def _graph(self, model: bytes) -> OnnxGraph:
        return read_graph(model, self._target.batch, "torch", KNOWN_OPS)

    def _module(self, graph: OnnxGraph) -> Any:
        module = module_from_graph(graph).to(self._device)
        return self._torch.compile(module, fullgraph=True, dynamic=False) if self._is_compiled else module


def _layer(graph: OnnxGraph, node: OnnxNode) -> EngineLayer:
    """A node as torch runs it: in the precision of its own weights."""
    arrays = [graph.weights[name] for name in node.inputs if name in graph.weights]
    weights = tuple(EngineTensor(a.shape, _PRECISIONS.get(a.dtype.name, a.dtype.name)) for a in arrays)
    return EngineLayer(node.name, node.op, inputs=weights[:1], weights=weights, onnx_nodes=(node.name,))


class _ProcessSettings:
    """torch's settings for the whole process: ours as long as a session is open, then what they were before."""

    def __init__(self, torch: Any, threads: int):
        self._torch, self._threads, self._users = torch, threads, 0
        try:
            flags = ("cuda.matmul", "cudnn.conv", "mkldnn.matmul", "mkldnn.conv")
            self._fp32 = [attrgetter(flag)(torch.backends) for flag in flags]
            self._before = self._threads, [flag.fp32_precision for flag in self._fp32]
        except AttributeError:
            raise ProfilerError(f"torch {torch.__version__} is too old: pip install 'torch>=2.9'") from None

    def _exchange(self, threads: int, fp32: list[str]) -> tuple[int, list[str]]:
        """Write settings; what they were before."""
        before = self._torch.get_num_threads(), [flag.fp32_precision for flag in self._fp32]
        self._torch.set_num_threads(threads)
        for flag, precision in zip(self._fp32, fp32, strict=True):
            flag.fp32_precision = precision
        return before

    def take(self) -> None:
        if self._users == 0:
            self._before = self._exchange(self._threads, ["ieee"] * len(self._fp32))
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._exchange(*self._before)


class _TorchSession(Session):
    def __init__(self, torch: Any, module: Any, graph: OnnxGraph, device: str, settings: _ProcessSettings):
        self._torch, self._module, self._settings = torch, module, settings
        self.input_specs, self._device = graph.inputs, device
        self._in_place = self._moved(random_inputs(graph.inputs))

    def _moved(self, arrays: Mapping[str, NDArray[Any]]) -> list[Any]:
        return [self._torch.from_numpy(arrays[name]).to(self._device) for name in self.input_specs]

    def _forward(self, inputs: list[Any]) -> Any:
        try:
            with self._torch.inference_mode():
                return self._module(*inputs)
        except Exception as e:  # torch.compile raises many unrelated classes
            raise ProfilerError(f"torch cannot run the model: {first_line(e)}") from None

    def run(self) -> None:
        self._forward(self._in_place)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return [answer.cpu().numpy() for answer in self._forward(self._moved(inputs))]

    def close(self) -> None:
        del self._module, self._in_place
        self._settings.leave()


class _CudaSession(_TorchSession):
    def run(self) -> None:
        self._forward(self._in_place)
        self._torch.cuda.synchronize()

    def time_us(self, runs: int) -> NDArray[np.float64]:
        """The GPU's own clock, between events in its queue: the wait for the answer is not in it."""
        marks = [self._torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
        marks[0].record()
        for mark in marks[1:]:
            self._forward(self._in_place)
            mark.record()
        self._torch.cuda.synchronize()
        return np.array([1e3 * a.elapsed_time(b) for a, b in pairwise(marks)], dtype=np.float64)
