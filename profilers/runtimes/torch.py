"""torch as an inference runtime, eager and compiled, on the CPU and on CUDA; torch.py would read as torch itself."""

from __future__ import annotations

from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers._base import RuntimeSetting, Session
from profilers.device.nvidia import NvidiaGpu
from profilers.runtimes._runtime import ShippedRuntime, first_line, random_inputs
from profilers.runtimes.onnx_reader import OnnxGraph, read_graph
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

    def load(self, model: bytes, known: Any) -> tuple[Session, Any]:
        """Rebuild a model from its bytes, run it once, so that what fails fails here; a compiled module is kept."""
        graph = read_graph(model, self._target.batch, "torch", KNOWN_OPS)
        for node in graph.nodes:
            if node.op in _PRODUCTS:
                self.require_precision(node.name, node.op, _precision_of(graph.weights[node.inputs[1]]))
        self._settings.take()
        try:
            module = self._module(graph) if known is None else known
            kind = _TorchSession if self._gpu is None else _CudaSession
            session = kind(self._torch, module, graph, self._device, self._settings)
            session.run()
        except BaseException:
            self._settings.leave()
            raise
        return session, module if self._is_compiled else None

    def _module(self, graph: OnnxGraph) -> Any:
        module = module_from_graph(graph).to(self._device)
        return self._torch.compile(module, fullgraph=True, dynamic=False) if self._is_compiled else module


def _precision_of(array: NDArray[Any]) -> str:
    return _PRECISIONS.get(array.dtype.name, array.dtype.name)


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
        arrays = random_inputs(graph.inputs).values()
        self._inputs = [torch.from_numpy(array).to(device) for array in arrays]

    def _forward(self) -> Any:
        try:
            with self._torch.inference_mode():
                return self._module(*self._inputs)
        except Exception as e:  # torch.compile raises many unrelated classes
            raise ProfilerError(f"torch cannot run the model: {first_line(e)}") from None

    def run(self) -> None:
        self._forward()

    def outputs(self) -> list[NDArray[Any]]:
        return [answer.cpu().numpy() for answer in self._forward()]

    def close(self) -> None:
        del self._module, self._inputs
        self._settings.leave()


class _CudaSession(_TorchSession):
    def run(self) -> None:
        self._forward()
        self._torch.cuda.synchronize()

    def time_us(self, runs: int) -> NDArray[np.float64]:
        """The GPU's own clock, between events in its queue: the wait for the answer is not in it."""
        marks = [self._torch.cuda.Event(enable_timing=True) for _ in range(runs + 1)]
        marks[0].record()
        for mark in marks[1:]:
            self._forward()
            mark.record()
        self._torch.cuda.synchronize()
        return np.array([1e3 * a.elapsed_time(b) for a, b in pairwise(marks)], dtype=np.float64)
