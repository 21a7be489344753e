"""From an ONNX graph to ncnn's own format, for the ops that our exporter writes; activations fused as ncnn's tools do.

ncnn's text and weight formats: docs/developer-guide/param-and-model-file-structure.md of its repository; the numbered
parameters of each layer are those of `Layer::load_param` in its sources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from profilers.runtimes.onnx_reader import OnnxGraph, OnnxNode, conv_of, hard_sigmoid_of, linear_weight, require_flat

_FLOAT = 1  # ONNX's number of the type
_HARD_SWISH = (1 / 6, 0.5)
# The last layer of a product: ReLU is 1, sigmoid 4, hard swish 6 with slope and offset.
_FUSED: dict[str, dict[int, Any]] = {"Relu": {9: 1}, "Sigmoid": {9: 4}, "HardSwish": {9: 6, -23310: _HARD_SWISH}}


@dataclass(frozen=True)
class NcnnModel:
    """A network in ncnn's format and the names of its input and outputs there."""

    param: str
    weights: bytes
    input: str
    outputs: tuple[str, ...]


def ncnn_from_graph(graph: OnnxGraph) -> NcnnModel:
    """Convert a graph with one input [1, ...]; raises `ProfilerError` for what ncnn's layers do not have."""
    writer = _Writer(graph)
    graph.walk("ncnn", writer.write)
    return writer.finish()


@dataclass
class _Writer:
    graph: OnnxGraph
    lines: list[str] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)
    blobs: dict[str, list[str]] = field(default_factory=dict)  # ONNX value -> one ncnn blob for each reader
    vectors: set[str] = field(default_factory=set)  # ONNX values that are a plain vector to ncnn
    blob_count: int = 0

    def __post_init__(self) -> None:
        if len(self.graph.inputs) != 1:
            raise ProfilerError(f"ncnn here runs models with one input, this one has {len(self.graph.inputs)}")
        self.readers = Counter([name for node in self.graph.nodes for name in node.inputs])
        self.readers.update(self.graph.outputs)
        self.only_reader = {node.inputs[0]: node for node in self.graph.nodes if self.readers[node.inputs[0]] == 1}
        ((name, (shape, _)),) = self.graph.inputs.items()
        if shape[:1] != (1,):
            raise ProfilerError(f"ncnn here runs one image at a time, not {list(shape)}")
        if len(shape) == 2:
            self.vectors.add(name)
        elif len(shape) != 4:
            raise ProfilerError(f"ncnn here takes inputs [1, n] or [1, c, h, w], not {list(shape)}")
        self.layer("Input", "input", (), name, {})

    def layer(self, kind: str, name: str, inputs: tuple[str, ...], output: str, settings: dict[int, Any]) -> None:
        """One line of the param file, and a Split after it when several layers read what it makes."""
        sources = [self.blobs[value].pop() for value in inputs]
        made = self._blob()
        self._line(kind, name, sources, [made], settings)
        if (count := self.readers[output]) > 1:
            copies = [self._blob() for _ in range(count)]
            self._line("Split", f"{name}_split", [made], copies, {})
            self.blobs[output] = copies
        else:
            self.blobs[output] = [made]

    def _blob(self) -> str:
        self.blob_count += 1
        return f"b{self.blob_count}"

    def _line(self, kind: str, name: str, inputs: list[str], outputs: list[str], settings: dict[int, Any]) -> None:
        words = [kind, name.replace(" ", "_"), str(len(inputs)), str(len(outputs)), *inputs, *outputs]
        self.lines.append(" ".join(words + [f"{key}={_text(value)}" for key, value in settings.items()]))

    def write(self, node: OnnxNode) -> None:
        """Add a node, unless it went into the one before it."""
        if node.output not in self.blobs:
            _WRITE[node.op](self, node)

    def _conv(self, node: OnnxNode) -> None:
        weight, *bias = self.graph.weights_of(node)
        how, groups = conv_of(node), node.attributes.get("group", 1)
        outputs, _, height, width = weight.shape
        if node.inputs[0] in self.vectors:
            if (height, width, groups) != (1, 1, 1) or any(how["pads"]):
                raise ValueError("after global pooling only plain 1x1 convolutions are known")
            self._inner_product(node, weight.reshape(outputs, -1), bias)
            return
        top, left, bottom, right = how["pads"]
        settings = {0: outputs, 1: width, 11: height, 2: how["dilations"][1], 12: how["dilations"][0]}
        settings |= {3: how["strides"][1], 13: how["strides"][0], 4: left, 14: top, 15: right, 16: bottom}
        settings |= {5: len(bias), 6: weight.size}
        if groups > 1:
            settings[7] = groups
        self._product("Convolution" if groups == 1 else "ConvolutionDepthWise", node, settings, weight, bias)

    def _gemm(self, node: OnnxNode) -> None:
        weight, *bias = self.graph.weights_of(node)
        weight = linear_weight(node, weight)
        if node.inputs[0] not in self.vectors:
            raise ValueError("its input is no vector")
        self._inner_product(node, weight, bias)

    def _inner_product(self, node: OnnxNode, weight: NDArray[Any], bias: list[NDArray[Any]]) -> None:
        output = self._product("InnerProduct", node, {0: len(weight), 1: len(bias), 2: weight.size}, weight, bias)
        self.vectors |= {node.output, output}

    def _product(
        self, kind: str, node: OnnxNode, settings: dict[int, Any], weight: NDArray[Any], bias: list[NDArray[Any]]
    ) -> str:
        """A layer with weights, and the activation that alone reads it; returns the ONNX value it makes."""
        after, output = self.only_reader.get(node.output), node.output
        if after is not None and after.op in _FUSED:
            settings, output = settings | _FUSED[after.op], after.output
        self.weights += [b"\0\0\0\0", *map(_raw, [weight, *bias])]  # the four bytes say: plain fp32 follows
        self.layer(kind, node.name, node.inputs[:1], output, settings)
        return output

    def _binary(self, node: OnnxNode) -> None:
        if node.op != "Add" and node.inputs[1] in self.graph.weights:
            return self._per_channel(node)
        self.layer("BinaryOp", node.name, node.inputs, node.output, {0: {"Add": 0, "Sub": 1, "Mul": 2}[node.op]})
        if self.vectors.issuperset(node.inputs):
            self.vectors.add(node.output)

    def _cast(self, node: OnnxNode) -> None:
        """Nothing to do: ncnn's `Mat::from_pixels` makes floats of the same values of 8-bit images."""
        if node.attributes["to"] != _FLOAT or self.readers[node.output] != 1:
            raise ValueError("only the cast of the image to floats, read by one node, is known")
        self.blobs[node.output] = [self.blobs[node.inputs[0]].pop()]

    def _per_channel(self, node: OnnxNode) -> None:
        """A number of each channel [1, c, 1, 1] taken away, or multiplied with."""
        (values,) = self.graph.weights_of(node)
        if values.ndim != 4 or values.shape != (1, values.size, 1, 1):
            raise ValueError(f"a constant of shape {list(values.shape)}, not [1, c, 1, 1]")
        kind, values = ("Bias", -values) if node.op == "Sub" else ("Scale", values)
        self.weights.append(_raw(values))
        self.layer(kind, node.name, node.inputs[:1], node.output, {0: values.size})

    def _batch_norm(self, node: OnnxNode) -> None:
        scale, bias, mean, variance = self.graph.weights_of(node)
        self.weights += map(_raw, (scale, mean, variance, bias))
        self._plain(node, "BatchNorm", {0: len(scale), 1: float(node.attributes.get("epsilon", 1e-5))})

    def _pool(self, node: OnnxNode) -> None:
        self._plain(node, "Pooling", {0: 1, 4: 1})
        self.vectors.add(node.output)

    def _flatten(self, node: OnnxNode) -> None:
        require_flat(node)
        self._plain(node, "Flatten", {})
        self.vectors.add(node.output)

    def _activation(self, node: OnnxNode) -> None:
        settings = {"HardSwish": _HARD_SWISH, "HardSigmoid": hard_sigmoid_of(node)}.get(node.op, ())
        self._plain(node, "ReLU" if node.op == "Relu" else node.op, dict(enumerate(settings)))

    def _plain(self, node: OnnxNode, kind: str, settings: dict[int, Any]) -> None:
        """A layer with one input, of whose vectors it makes vectors."""
        self.layer(kind, node.name, node.inputs[:1], node.output, settings)
        if node.inputs[0] in self.vectors:
            self.vectors.add(node.output)

    def finish(self) -> NcnnModel:
        """The whole model."""
        outputs = tuple(self.blobs[name].pop() for name in self.graph.outputs)
        head = ["7767517", f"{len(self.lines)} {self.blob_count}"]
        return NcnnModel("\n".join([*head, *self.lines]) + "\n", b"".join(self.weights), "b1", outputs)


def _raw(array: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(array, dtype="<f4").tobytes()


def _text(value: Any) -> str:
    """ncnn reads at most 15 characters, and tells floats from integers by their dot."""
    if isinstance(value, tuple):
        return ",".join([str(len(value)), *map(_text, value)])
    return f"{value:.6e}" if isinstance(value, float) else str(value)


_WRITE: dict[str, Callable[[_Writer, OnnxNode], None]] = {
    "Conv": _Writer._conv,
    "Gemm": _Writer._gemm,
    "BatchNormalization": _Writer._batch_norm,
    "GlobalAveragePool": _Writer._pool,
    "Flatten": _Writer._flatten,
    **dict.fromkeys(("HardSigmoid", "HardSwish", "Relu", "Sigmoid"), _Writer._activation),
    **dict.fromkeys(("Add", "Sub", "Mul"), _Writer._binary),
    "Cast": _Writer._cast,
}
KNOWN_OPS = tuple(_WRITE)
