"""ONNX models as files that others may have written: their limits, and the batch they take."""

from __future__ import annotations

import onnx

from latency_tables import HwnasError

MOST_BYTES, MOST_NODES = 2**30, 20_000
DYNAMIC = -1
"""The batch of a model that takes any number of images at once."""

_DOMAINS = ("", "ai.onnx", "com.microsoft")


class OnnxFileError(HwnasError):
    """Bytes that are no ONNX model, or one that asks for more than its file."""


def read_onnx(content: bytes, where: str) -> onnx.ModelProto:
    """An ONNX model within limits: bytes, nodes, no files beside it, no operators but onnx's and onnxruntime's own.

    `where` names it in errors. Nothing of it is run. Raises `OnnxFileError`.
    """
    if len(content) > MOST_BYTES:
        raise OnnxFileError(f"{where} has {len(content)} bytes; at most {MOST_BYTES} are read")
    try:
        proto = onnx.load_model_from_string(content)
    except Exception:  # protobuf's own errors, whose package has no types
        raise OnnxFileError(f"{where} is no ONNX model") from None
    graph = proto.graph
    if proto.functions or any(a.g.ByteSize() or a.graphs for node in graph.node for a in node.attribute):
        raise OnnxFileError(f"{where} has functions or graphs within its graph; a network of ours has none")
    if not 0 < len(graph.node) <= MOST_NODES:
        raise OnnxFileError(f"{where} has {len(graph.node)} nodes; 1 to {MOST_NODES} are read")
    if foreign := [node.op_type for node in graph.node if node.domain not in _DOMAINS]:
        raise OnnxFileError(f"{where} has an operator of another domain than onnx's: {foreign[0][:40]}")
    tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute)]
    if graph.sparse_initializer or any(t.external_data or t.data_location for t in tensors):
        raise OnnxFileError(f"{where} has weights in another file; a model of ours is one file")
    if (len(graph.input), len(graph.output)) != (1, 1):
        raise OnnxFileError(f"{where} has {len(graph.input)} inputs and {len(graph.output)} outputs, not one of each")
    return proto


def checked_onnx(content: bytes, where: str) -> onnx.ModelProto:
    """The same, and `require_valid`."""
    proto = read_onnx(content, where)
    require_valid(proto, where)
    return proto


def require_valid(proto: onnx.ModelProto, where: str) -> None:
    """Raise `OnnxFileError` unless onnx's own checker accepts a model, shapes and types too."""
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError, RuntimeError) as e:
        raise OnnxFileError(f"{where} is not valid ONNX: {(str(e).splitlines() or ['no reason given'])[0]}") from None


def with_batch(model: bytes, batch: int) -> bytes:
    """A model of one image at a time as one of `batch` images, or of any number (`DYNAMIC`).

    Raises `OnnxFileError` where a node of it is written for one image.
    """
    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    del graph.value_info[:]  # shapes for the other batch; whoever reads it infers them again
    for end in (*graph.input, *graph.output):
        first = end.type.tensor_type.shape.dim[0]
        first.Clear()
        if batch == DYNAMIC:
            first.dim_param = "batch"
        else:
            first.dim_value = batch
    changed = bytes(proto.SerializeToString())
    checked_onnx(changed, "the model for another batch")
    return changed
