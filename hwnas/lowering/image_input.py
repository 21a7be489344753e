"""The form in which a network ships: pixels in, 8-bit as a decoder gives them, and the normalisation in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

INPUT, OUTPUT = "image", "logits"


def with_image_input(model: bytes, mean: Sequence[float], std: Sequence[float]) -> bytes:
    """A model of normalised images as a model of raw ones: uint8 [n, c, h, w] `image`, 0..255, in; `logits` out.

    `mean` and `std` [c] are those of the channels of images in 0..1. The mean is subtracted by one node. The division
    goes into the weights of the first convolution where it alone reads the image, which is exact, its padding being
    zero in both scales; else it is one more node.
    """
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    _rename(graph, {graph.input[0].name: INPUT, graph.output[0].name: OUTPUT})
    readers = [node for node in graph.node if INPUT in node.input]
    shift, scale = (255 * np.asarray(v, dtype=np.float64) for v in (mean, std))
    shifted, folded = f"{INPUT}.shifted", _fold(graph, readers, scale)
    first = shifted if folded else f"{INPUT}.normalised"
    for node in readers:
        node.input[:] = [first if name == INPUT else name for name in node.input]
    nodes = [helper.make_node("Cast", [INPUT], [f"{INPUT}.float"], f"{INPUT}.float", to=TensorProto.FLOAT)]
    nodes.append(_per_channel(graph, "Sub", f"{INPUT}.float", shifted, shift))
    if not folded:
        nodes.append(_per_channel(graph, "Mul", shifted, first, 1 / scale))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    return bytes(proto.SerializeToString())


def _rename(graph: onnx.GraphProto, ends: dict[str, str]) -> None:
    """Give the graph's ends these names; another value that has one of them, or begins with it, gets an underscore."""

    def new(name: str) -> str:
        return ends.get(name) or (f"_{name}" if name.startswith((INPUT, OUTPUT)) else name)

    for node in graph.node:
        node.input[:] = map(new, node.input)
        node.output[:] = map(new, node.output)
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = new(value.name)


def _fold(graph: onnx.GraphProto, readers: Sequence[onnx.NodeProto], scale: NDArray[np.float64]) -> bool:
    """Divide the weights of the one convolution that reads the image by `scale` [c]; False where there is none."""
    if [node.op_type for node in readers] != ["Conv"]:
        return False
    (conv,) = readers
    weight = next((w for w in graph.initializer if w.name == conv.input[1]), None)
    if weight is None or [name for node in graph.node for name in node.input].count(weight.name) > 1:
        return False
    array = numpy_helper.to_array(weight)
    groups = next((a.i for a in conv.attribute if a.name == "group"), 1)
    by_group = array.reshape(groups, -1, *array.shape[1:]) / scale.reshape(groups, 1, -1, 1, 1)
    weight.CopyFrom(numpy_helper.from_array(by_group.reshape(array.shape).astype(array.dtype), weight.name))
    return True


def _per_channel(graph: onnx.GraphProto, op: str, source: str, made: str, by: NDArray[np.float64]) -> onnx.NodeProto:
    constant = numpy_helper.from_array(by.astype(np.float32).reshape(1, -1, 1, 1), f"{made}.constant")
    graph.initializer.append(constant)
    return helper.make_node(op, [source, constant.name], [made], made)
