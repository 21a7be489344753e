"""torch as an inference runtime, eager and compiled, on the CPU and on CUDA; torch.py would read as torch itself."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError, Target
from profilers._base import Profiler, Session
from profilers.device import cpu_name
from profilers.device.conditions import Conditions, power_mode
from profilers.device.nvidia import NvidiaGpu
from profilers.runtimes._shared import MatrixProduct, check_precision, check_settings, first_line, random_inputs
from profilers.runtimes.onnx_reader import OnnxGraph, read_graph
from profilers.runtimes.torch_module import KNOWN_OPS, module_from_graph

_PRECISIONS = {"float32": "fp32", "float16": "fp16"}
_PRODUCTS = ("Conv", "Gemm")


class TorchProfiler(Profiler):
    """An ONNX graph rebuilt as a torch module, in the precision of the model's own weights.

    While a session is open, torch's process-wide thread count is ours and its fp32 is IEEE's, not TF32 or bf16. A
    compiled model is kept, so that it is compiled once however often it is opened.

    Raises `ProfilerError` when torch is not installed or has no such device, which is "cpu" or "cuda".
    """

    def __init__(
        self, threads: int = 1, batch: int = 1, precision: str = "fp32", compiled: bool = False, device: str = "cpu"
    ):
        try:
            import torch
        except ImportError:
            raise ProfilerError("torch is not installed: pip install 'hwnas[search]'") from None
        self._runtime = "-".join(["torch", *["compiled"] * compiled, *["cuda"] * (device == "cuda")])
        check_settings(self._runtime, threads, batch, precision, tuple(_PRECISIONS.values()))
        if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
            raise ProfilerError(f"torch has no {device} device here")
        self._torch, self._batch, self._precision, self._device = torch, batch, precision, device
        self._threads, self._settings = threads, _ProcessSettings(torch, threads)
        self._is_compiled, self._compiled = compiled, dict[str, Any]()
        self._gpu = NvidiaGpu() if device == "cuda" else None

    def target(self) -> Target:
        """The device this runs on."""
        return Target(
            device=self._torch.cuda.get_device_name() if self._device == "cuda" else cpu_name(),
            runtime=self._runtime,
            runtime_version=self._torch.__version__,
            precision=self._precision,
            batch=self._batch,
            threads=self._threads,
            power_mode=power_mode(),
        )

    def conditions(self) -> Conditions:
        """How the processor is doing now, or the GPU."""
        return super().conditions() if self._gpu is None else self._gpu.conditions()

    def open(self, model: bytes) -> Session:
        """Rebuild a model from its bytes, run it once, so that what fails fails here."""
        graph = read_graph(model, self._batch, "torch", KNOWN_OPS)
        products = [
            MatrixProduct(node.name, node.op, _precision_of(graph.weights[node.inputs[1]]))
            for node in graph.nodes
            if node.op in _PRODUCTS
        ]
        check_precision(self._runtime, self._precision, products)
        self._settings.take()
        try:
            kind = _CudaSession if self._device == "cuda" else _TorchSession
            session = kind(self._torch, self._module(graph, model), graph, self._device, self._settings)
            session.run()
        except BaseException:
            self._settings.leave()
            raise
        return session

    def _module(self, graph: OnnxGraph, model: bytes) -> Any:
        if not self._is_compiled:
            return module_from_graph(graph).to(self._device)
        digest = hashlib.sha256(model).hexdigest()
        if digest not in self._compiled:
            module = module_from_graph(graph).to(self._device)
            self._compiled[digest] = self._torch.compile(module, fullgraph=True, dynamic=False)
        return self._compiled[digest]


def _precision_of(array: NDArray[Any]) -> str:
    return _PRECISIONS.get(array.dtype.name, array.dtype.name)


class _ProcessSettings:
    """torch's settings for the whole process: ours as long as a session is open, then what they were before."""

    def __init__(self, torch: Any, threads: int):
        self._torch, self._threads, self._users = torch, threads, 0
        try:
            flags = ("cuda.matmul", "cudnn.conv", "mkldnn.matmul", "mkldnn.conv")
            self._fp32 = [attrgetter(flag)(torch.backends) for flag in flags]
            self._before = self._read()
        except AttributeError:
            raise ProfilerError(f"torch {torch.__version__} is too old: pip install 'torch>=2.9'") from None

    def _read(self) -> tuple[int, list[str]]:
        return self._torch.get_num_threads(), [flag.fp32_precision for flag in self._fp32]

    def _write(self, threads: int, fp32: list[str]) -> None:
        self._torch.set_num_threads(threads)
        for flag, precision in zip(self._fp32, fp32, strict=True):
            flag.fp32_precision = precision

    def take(self) -> None:
        if self._users == 0:
            self._before = self._read()
            self._write(self._threads, ["ieee"] * len(self._fp32))
        self._users += 1

    def leave(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._write(*self._before)


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
