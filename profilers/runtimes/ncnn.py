"""ncnn: an inference runtime for phones and boards, which runs its own format, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError, Target
from latency_tables.errors import NotInstalledError
from profilers._base import Session
from profilers.device import cpu_name
from profilers.device.conditions import power_mode
from profilers.runtimes._runtime import ShippedRuntime
from profilers.runtimes._shared import MatrixProduct, check_precision, check_settings, random_inputs
from profilers.runtimes.ncnn_model import KNOWN_OPS, NcnnModel, ncnn_from_graph
from profilers.runtimes.onnx_reader import read_graph

_FP32_BITS = 32
_PLAIN, _AS_KEPT = 0, 1  # `extract` gives values channel by channel, or in the layout they lie in
# A layer that changes no value; ncnn brings its input into the layout it prefers between layers.
_NO_CHANGE = "7767517\n2 2\nInput input 0 1 b1\nDropout d 1 1 b1 b2\n"


class NcnnProfiler(ShippedRuntime):
    """ncnn on the CPU in fp32, one image at a time; each model is converted once.

    Raises `ProfilerError` when ncnn is not installed.
    """

    def __init__(self, threads: int = 1, batch: int = 1, precision: str = "fp32"):
        try:
            import ncnn
        except ImportError:
            raise NotInstalledError("ncnn", "ncnn") from None
        check_settings("ncnn", threads, batch, precision, ("fp32",))
        if batch != 1:
            raise ProfilerError(f"ncnn runs one image at a time: batch must be 1, got {batch}")
        target = Target(cpu_name(), "ncnn", ncnn.__version__, precision, batch, threads, power_mode())
        super().__init__(target, quick_to_start=True)
        self._ncnn = ncnn

    def load(self, model: bytes, known: Any) -> tuple[Session, Any]:
        """Convert a model unless it is `known`, load it, run it once, so that what fails fails here."""
        converted, image = _converted(model) if known is None else known
        session = _NcnnSession(self._ncnn, converted, image, self._target.threads)
        session.check()
        return session, (converted, image)


def _converted(model: bytes) -> tuple[NcnnModel, NDArray[np.float32]]:
    graph = read_graph(model, 1, "ncnn", KNOWN_OPS)
    check_precision("ncnn", "fp32", (_product(name, w) for name, w in graph.weights.items()))
    (image,) = random_inputs(graph.inputs).values()
    return ncnn_from_graph(graph), image[0].astype(np.float32)  # ncnn's pixels are floats too


def _product(name: str, array: NDArray[Any]) -> MatrixProduct:
    return MatrixProduct(name, "weight", "fp32" if array.dtype == np.float32 else array.dtype.name)


class _NcnnSession(Session):
    def __init__(self, ncnn: Any, model: NcnnModel, image: NDArray[np.float32], threads: int):
        self._model, self._net = model, ncnn.Net()
        # As in ncnn's own benchmark: memory that each run takes and gives back comes from a pool, not from the system.
        self._pools = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        self._configure(self._net.opt, threads)
        if self._net.load_param_mem(model.param) != 0:
            raise ProfilerError("ncnn refuses the model; its reason is on standard error")
        self._net.load_model_mem(model.weights)
        self._input = self._as_between_layers(ncnn, ncnn.Mat(image).clone(), threads)

    def _configure(self, options: Any, threads: int) -> None:
        options.num_threads = threads
        options.openmp_blocktime = 0  # threads that spin steal the cores of the reference
        options.lightmode = True
        options.blob_allocator, options.workspace_allocator = self._pools
        options.use_vulkan_compute = False
        for short in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            setattr(options, f"use_{short}", False)

    def _as_between_layers(self, ncnn: Any, image: Any, threads: int) -> Any:
        """The input in the layout in which one layer hands it to the next: what an op of a network is given."""
        net = ncnn.Net()
        self._configure(net.opt, threads)
        if net.load_param_mem(_NO_CHANGE) != 0:
            raise ProfilerError("ncnn here lacks the layer Dropout")
        net.load_model_mem(b"")
        extractor = net.create_extractor()
        extractor.input("b1", image)
        code, answer = extractor.extract("b2", _AS_KEPT)
        if code != 0:
            raise ProfilerError(f"ncnn cannot take the input: its code is {code}")
        return answer.clone()

    def check(self) -> None:
        """Run once; raises `ProfilerError` when an answer is not kept in fp32."""
        extractor = self._extractor()
        for name in self._model.outputs:
            code, answer = extractor.extract(name, _AS_KEPT)
            if code != 0:
                raise ProfilerError(f"ncnn cannot run the model: its code is {code}")
            if answer.elembits() != _FP32_BITS:
                raise ProfilerError(f"ncnn runs the model in {answer.elembits()} bits, not in fp32")

    def _extractor(self) -> Any:
        extractor = self._net.create_extractor()
        extractor.input(self._model.input, self._input)
        return extractor

    def _answers(self, layout: int) -> list[Any]:
        extractor, answers = self._extractor(), []
        for name in self._model.outputs:
            code, answer = extractor.extract(name, layout)
            if code != 0:
                raise ProfilerError(f"ncnn cannot run the model: its code is {code}")
            answers.append(answer)
        return answers

    def run(self) -> None:
        self._answers(_AS_KEPT)

    def outputs(self) -> list[NDArray[Any]]:
        """Without the batch axis and the axes of length 1 that ncnn drops after global pooling."""
        return [np.array(answer) for answer in self._answers(_PLAIN)]

    def close(self) -> None:
        self._net.clear()
