"""An ONNX model as plain nodes and arrays, for runtimes that cannot read ONNX themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from profilers.runtimes._runtime import first_line


@dataclass(frozen=True)
class OnnxNode:
    """One node with one output. `attributes` are ints, floats, strings or lists of them."""

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class OnnxGraph:
    """Nodes in the order they run. `inputs` are (shape, numpy's name of the type) by name."""

    inputs: Mapping[str, tuple[tuple[int, ...], str]]
    outputs: tuple[str, ...]
    weights: Mapping[str, NDArray[Any]]
    nodes: tuple[OnnxNode, ...]

    def weights_of(self, node: OnnxNode) -> list[NDArray[Any]]:
        """What the node's inputs after the first hold; raises KeyError when one is no weight."""
        return [self.weights[name] for name in node.inputs[1:]]

    def walk(self, runtime: str, visit: Callable[[OnnxNode], None]) -> None:
        """Visit every node; a KeyError for an input or a ValueError becomes a `ProfilerError` that names the node."""
        for node in self.nodes:
            try:
                visit(node)
            except KeyError as e:
                why = f"its input {e} is unforeseen"
            except ValueError as e:
                why = str(e)
            else:
                continue
            raise ProfilerError(f"{runtime} here cannot run {node.name} ({node.op}): {why}")


def read_graph(model: bytes, batch: int, runtime: str, known_ops: Sequence[str]) -> OnnxGraph:
    """Read ONNX bytes; a free axis takes `batch`.

    Raises `ProfilerError` when onnx is missing, for what is no model, and for ops that are not in `known_ops`.
    """
    try:
        import onnx
        from onnx import checker, helper, numpy_helper
    except ImportError:
        raise ProfilerError(f"{runtime} reads models through onnx, which is not installed: pip install onnx") from None
    try:
        proto = onnx.load_model_from_string(model)
        checker.check_model(proto)
    except Exception as e:  # protobuf's and onnx's own classes
        raise ProfilerError(f"{runtime} cannot read the model: {first_line(e)}") from None
    weights = {w.name: numpy_helper.to_array(w) for w in proto.graph.initializer}
    inputs = {}
    for value in proto.graph.input:
        if value.name not in weights:
            tensor = value.type.tensor_type
            shape = tuple(d.dim_value if d.HasField("dim_value") else batch for d in tensor.shape.dim)
            inputs[value.name] = (shape, np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name)
    nodes = []
    for n in proto.graph.node:
        name = n.name or n.output[0]
        if n.op_type not in known_ops:
            raise ProfilerError(f"{runtime} here knows no {n.op_type} ({name}), only {', '.join(known_ops)}")
        attributes = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        nodes.append(OnnxNode(n.op_type, name, tuple(n.input), n.output[0], attributes))
    return OnnxGraph(inputs, tuple(o.name for o in proto.graph.output), weights, tuple(nodes))


def conv_of(node: OnnxNode) -> dict[str, tuple[int, ...]]:
    """Stride, padding (top, left, bottom, right) and dilation of a 2-D convolution; raises ValueError for another."""
    attributes = node.attributes
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ValueError("automatic padding")
    found = {
        "strides": tuple(attributes.get("strides", (1, 1))),
        "pads": tuple(attributes.get("pads", (0, 0, 0, 0))),
        "dilations": tuple(attributes.get("dilations", (1, 1))),
    }
    if len(found["strides"]) != 2:
        raise ValueError("only two-dimensional convolutions are known")
    return found


def linear_weight(node: OnnxNode, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight of a matrix product as [outputs, inputs]; raises ValueError for one that is more than x W + b."""
    a = node.attributes
    if (a.get("alpha", 1.0), a.get("beta", 1.0), a.get("transA", 0)) != (1.0, 1.0, 0):
        raise ValueError("only x W + b is known")
    return weight if a.get("transB", 0) else weight.T


def hard_sigmoid_of(node: OnnxNode) -> tuple[float, float]:
    """Slope and offset of a hard sigmoid."""
    return float(node.attributes.get("alpha", 0.2)), float(node.attributes.get("beta", 0.5))


def require_flat(node: OnnxNode) -> None:
    """Raise ValueError for a Flatten that leaves more than the batch axis as it is."""
    if (axis := node.attributes.get("axis", 1)) != 1:
        raise ValueError(f"flattening from axis {axis}")
