"""ncnn: an inference runtime for phones and boards, which runs its own format, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers._base import RuntimeSetting, Session, random_inputs
from profilers.engines.engine import Compiled, Engine
from profilers.engines.layers import EngineLayer, EngineTensor
from profilers.engines.proof import prove_kernels
from profilers.runtimes._runtime import ShippedRuntime
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

    quick_to_start = True

    def __init__(self, threads: int = 1, batch: int = 1, precision: str = "fp32"):
        self._ncnn = installed("ncnn", "ncnn")
        super().__init__(RuntimeSetting("ncnn", threads, batch, precision), self._ncnn.__version__, ("fp32",))
        if batch != 1:
            raise ProfilerError(f"ncnn runs one image at a time: batch must be 1, got {batch}")

    def compile(self, model: bytes) -> Compiled:
        """The model in ncnn's own format."""
        graph = read_graph(model, 1, "ncnn", KNOWN_OPS)
        layers = tuple(_layer(name, array) for name, array in graph.weights.items())
        return Compiled(ncnn_from_graph(graph).to_bytes(), layers, prove_kernels("fp32", layers))

    def start(self, engine: Engine) -> Session:
        """A session with a random image in place that has run once, so that what fails fails here."""
        session = _NcnnSession(self._ncnn, NcnnModel.from_bytes(engine.content), self._target.threads)
        session.check()
        return session


def _layer(name: str, weight: NDArray[Any]) -> EngineLayer:
    """ncnn runs what has fp32 weights in fp32; its layers are not told, so each weight stands for its own."""
    tensor = EngineTensor(weight.shape, "fp32" if weight.dtype == np.float32 else weight.dtype.name)
    return EngineLayer(name, "weight", inputs=(tensor,), weights=(tensor,))


class _NcnnSession(Session):
    def __init__(self, ncnn: Any, model: NcnnModel, threads: int):
        self._ncnn, self._model, self._threads = ncnn, model, threads
        self.input_specs = {model.image: model.spec}
        # As in ncnn's own benchmark: memory that each run takes and gives back comes from a pool, not from the system.
        self._pools = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        self._net = self._opened(ncnn.Net(), model.param, model.weights)
        # In the layout in which one layer hands it to the next: what an op of a network is given.
        no_change = self._opened(ncnn.Net(), _NO_CHANGE, b"")
        image = self._mat(random_inputs(self.input_specs))
        (between_layers,) = _answers(no_change, "b1", image, ("b2",), _AS_KEPT)
        self._input = between_layers.clone()

    def _mat(self, inputs: Mapping[str, NDArray[Any]]) -> Any:
        pixels = np.ascontiguousarray(inputs[self._model.image][0], np.float32)  # ncnn's pixels are floats too
        return self._ncnn.Mat(pixels).clone()  # a Mat does not keep the array it looks into

    def _opened(self, net: Any, param: str, weights: bytes) -> Any:
        options = net.opt
        options.num_threads = self._threads
        options.openmp_blocktime = 0  # threads that spin steal the cores of the reference
        options.lightmode = True
        options.blob_allocator, options.workspace_allocator = self._pools
        options.use_vulkan_compute = False
        for short in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            setattr(options, f"use_{short}", False)
        if net.load_param_mem(param) != 0:
            raise ProfilerError("ncnn refuses the model; its reason is on standard error")
        net.load_model_mem(weights)
        return net

    def _extract(self, image: Any, layout: int) -> list[Any]:
        return _answers(self._net, self._model.input, image, self._model.outputs, layout)

    def check(self) -> None:
        """Run once; raises `ProfilerError` when an answer is not kept in fp32."""
        for answer in self._extract(self._input, _AS_KEPT):
            if answer.elembits() != _FP32_BITS:
                raise ProfilerError(f"ncnn runs the model in {answer.elembits()} bits, not in fp32")

    def run(self) -> None:
        self._extract(self._input, _AS_KEPT)

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Without the axes of length 1 that ncnn drops after global pooling, but for that of the batch."""
        return [np.array(answer)[None] for answer in self._extract(self._mat(inputs), _PLAIN)]

    def close(self) -> None:
        self._net.clear()


def _answers(net: Any, input_: str, value: Any, outputs: Sequence[str], layout: int) -> list[Any]:
    extractor, answers = net.create_extractor(), []
    extractor.input(input_, value)
    for name in outputs:
        code, answer = extractor.extract(name, layout)
        if code != 0:
            raise ProfilerError(f"ncnn cannot run the model: its code is {code}")
        answers.append(answer)
    return answers
