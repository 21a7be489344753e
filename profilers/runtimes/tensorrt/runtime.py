"""TensorRT as a runtime: plans on the GPU that is here, timed between events of its own clock."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from profilers._base import InputSpec, RuntimeSetting, Session, random_inputs
from profilers.device.cuda import Cuda, open_cuda
from profilers.device.nvidia import NvidiaGpu
from profilers.engines.engine import Compiled, Engine
from profilers.runtimes._runtime import ShippedRuntime
from profilers.runtimes.tensorrt.build import BuildSettings, build_plan
from profilers.runtimes.tensorrt.package import TENSORRT, TensorRt, find_tensorrt
from profilers.runtimes.tensorrt.timing_cache import TimingKey, read_timing_cache, write_timing_cache

_GROUP_US = 2000.0  # events tell half a microsecond, so what lies between two of them takes this long
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32", "INT64": "int64"}


class TensorRtProfiler(ShippedRuntime):
    """TensorRT, or TensorRT for RTX, strongly typed: the precision is the model's own, and proven by the plan's layers.

    One query at a time, as a CUDA graph where it can be captured, inputs and outputs on the GPU; trtexec enqueues the
    next query ahead, so its figure is closer to throughput. Raises `ProfilerError` without the package or a GPU.
    """

    int8_form = "product-inputs"

    def __init__(self, threads: int = 1, batch: int = 1, precision: str = "fp32", package: str = TENSORRT):
        self._package = find_tensorrt(package)
        self._cuda = open_cuda()
        self._info = self._cuda.info()
        setting, precisions = RuntimeSetting(package, threads, batch, precision), ("fp32", "fp16", "int8")
        super().__init__(setting, self._package.version, precisions, self._info["gpu"], NvidiaGpu())
        self._settings = BuildSettings(batches=(batch, batch, batch))
        self._timings: Path | None = None

    def keep_engines(self, folder: Path) -> None:
        """Keep plans, and the times of kernels that building them takes."""
        super().keep_engines(folder)
        self._timings = folder / f"{self._package.name}.timing"

    def compile(self, model: bytes) -> Compiled:
        """A plan for this GPU. The same model built again may be another plan; the one that was measured is kept."""
        cache, key = b"", TimingKey(**self._info, tensorrt=self._package.version, level=self._settings.level)
        if self._timings is not None:
            cache = read_timing_cache(self._timings, key)
        compiled, cache_after = build_plan(self._package, model, self._target.precision, self._settings, cache)
        if self._timings is not None and cache_after:
            write_timing_cache(self._timings, key, cache_after)
        return compiled

    def command_line(self, model: Path) -> str | None:
        """trtexec, which comes with TensorRT; the median of its GPU compute time."""
        if self._package.is_rtx:
            return None
        return trtexec_line(model, self._package.version, self._settings.level)

    def start(self, engine: Engine) -> Session:
        """A session with random inputs in place that has run once, so that what fails fails here."""
        cuda = open_cuda()  # of its own, so that closing the session frees its memory
        try:
            return _TensorRtSession(self._package, cuda, engine.content, self._target.batch)
        except BaseException:
            cuda.close()
            raise


def trtexec_line(model: Path, version: str, level: int) -> str:
    """A model built and timed as here; version 11 does by itself what must be asked for in version 10."""
    line = ["trtexec", f"--onnx={model}", f"--builderOptimizationLevel={level}"]
    if int(version.partition(".")[0]) < 11:
        line += ["--stronglyTyped", "--useCudaGraph", "--useSpinWait", "--noDataTransfers"]
    return shlex.join(line)


class _TensorRtSession(Session):
    def __init__(self, package: TensorRt, cuda: Cuda, plan: bytes, batch: int):
        self._cuda = cuda
        with package.listening() as said:
            self._runtime = package.trt.Runtime(package.logger)
            engine = self._runtime.deserialize_cuda_engine(plan)
            if engine is None:
                raise ProfilerError(f"{package.name} refuses the engine: {(said or ['no reason given'])[-1]}")
            self._engine, self._context = engine, engine.create_execution_context()
        self._outputs: dict[str, NDArray[Any]] = {}
        self._addresses: dict[str, int] = {}
        specs: dict[str, InputSpec] = {}
        for name in (engine.get_tensor_name(i) for i in range(engine.num_io_tensors)):
            dtype = _DTYPES[engine.get_tensor_dtype(name).name]
            if engine.get_tensor_mode(name) == package.trt.TensorIOMode.INPUT:
                shape = tuple(batch if size == -1 else size for size in engine.get_tensor_shape(name))
                specs[name] = InputSpec(shape, dtype)
                self._context.set_input_shape(name, shape)
            else:
                self._outputs[name] = cuda.pinned(tuple(self._context.get_tensor_shape(name)), dtype)
        self.input_specs = specs
        self._in_place = random_inputs(specs)
        self._inputs = {name: cuda.pinned(spec.shape, spec.dtype) for name, spec in specs.items()}
        for name, array in (self._inputs | self._outputs).items():
            self._addresses[name] = cuda.allocate(max(array.nbytes, 1))
        self._put(self._in_place)
        for name, address in self._addresses.items():
            self._context.set_tensor_address(name, address)
        self._start, self._end = cuda.event(), cuda.event()
        if not self._enqueue():
            raise ProfilerError(f"{package.name} cannot run the model")
        cuda.synchronise()
        self._graph = cuda.capture(self._enqueue)

    def _enqueue(self) -> bool:
        return bool(self._context.execute_async_v3(self._cuda.stream))

    def _launch(self) -> None:
        if self._graph is not None:
            self._cuda.launch(self._graph)
        elif not self._enqueue():
            raise ProfilerError("TensorRT cannot run the model")

    def run(self) -> None:
        self._launch()
        self._cuda.synchronise()

    def time_us(self, runs: int) -> NDArray[np.float64]:
        """Means of groups of runs that take two milliseconds together, by the GPU's own clock."""
        size = min(runs, ceil(_GROUP_US / max(self._group_us(1), 1.0)))
        groups = [self._group_us(size) for _ in range(ceil(runs / size))]
        return np.repeat(np.array(groups, dtype=np.float64), size)[:runs]

    def _group_us(self, runs: int) -> float:
        self._cuda.record(self._start)
        for _ in range(runs):
            self._launch()
        self._cuda.record(self._end)
        return self._cuda.elapsed_us(self._start, self._end) / runs

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self._put(inputs)
        self.run()
        for name, array in self._outputs.items():
            self._cuda.to_host(array, self._addresses[name])
        self._cuda.synchronise()
        answers = [array.copy() for array in self._outputs.values()]
        self._put(self._in_place)
        return answers

    def _put(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        for name, host in self._inputs.items():
            np.copyto(host, inputs[name])
            self._cuda.to_device(self._addresses[name], host)
        self._cuda.synchronise()

    def close(self) -> None:
        del self._context, self._engine, self._runtime
        self._cuda.close()
