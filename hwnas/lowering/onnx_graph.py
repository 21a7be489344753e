"""Torch module to ONNX in under a millisecond a block, batch norm folded; the one exporter of ops and networks.

Profiled ops and shipped networks both come through here, so what was measured is what ships. Layers that the
table below does not know go through torch's own exporter, a thousand times slower.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import fx, nn

OPSET = 17
_IR_VERSION = 8  # the oldest that goes with the opset: boards run old runtimes


class _UnknownLayer(Exception):
    pass


class _Emitter:
    def __init__(self, modules: dict[str, nn.Module]):
        self.modules = modules
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.names: dict[fx.Node, str] = {}
        self.flat: set[fx.Node] = set()  # nodes known to be [batch, features]

    def emit(self, op: str, node: fx.Node, inputs: list[str], **attributes: Any) -> None:
        name = self.names[node] = _name(node)
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))

    def weight(self, name: str, value: torch.Tensor) -> str:
        array = value.detach().cpu().numpy()
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weighted(self, node: fx.Node, weight: torch.Tensor, bias: torch.Tensor | None) -> list[str]:
        """The inputs of a node: what it reads, its weight, its bias where it has one."""
        parts = {"weight": weight} | ({} if bias is None else {"bias": bias})
        return [self.value(node.args[0], node), *(self.weight(f"{node.name}.{k}", v) for k, v in parts.items())]

    def value(self, argument: Any, node: fx.Node) -> str:
        if isinstance(argument, fx.Node):
            return self.names[argument]
        if isinstance(argument, float):
            return self.weight(f"{node.name}.constant", torch.tensor(argument))
        raise _UnknownLayer(f"{node.target} with a constant operand")


def _name(node: fx.Node) -> str:
    """fx's name, after that of the module it stands in, so that a sum or product tells which block it is of."""
    inside = [*node.meta.get("nn_module_stack", ())]
    if node.op == "call_function" and inside and inside[-1]:
        return f"_{inside[-1].replace('.', '_')}_{node.name}"
    return node.name


def _only_user_is_batch_norm(node: fx.Node, modules: dict[str, nn.Module]) -> nn.BatchNorm2d | None:
    users = list(node.users)
    if len(users) != 1 or users[0].op != "call_module":
        return None
    module = modules[str(users[0].target)]
    return module if isinstance(module, nn.BatchNorm2d) else None


def _conv(e: _Emitter, node: fx.Node, layer: nn.Conv2d) -> None:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise _UnknownLayer(f"padding {layer.padding} {layer.padding_mode}")
    weight, bias = layer.weight, layer.bias
    norm = _only_user_is_batch_norm(node, e.modules)
    if norm is not None and norm.running_mean is not None and norm.running_var is not None:
        weight, bias = nn.utils.fuse_conv_bn_weights(
            weight, bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
    e.emit(
        "Conv",
        node,
        e.weighted(node, weight, bias),
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=[*layer.padding, *layer.padding],
        dilations=layer.dilation,
        group=layer.groups,
    )


def _batch_norm(e: _Emitter, node: fx.Node, layer: nn.BatchNorm2d) -> None:
    source = node.args[0]
    assert isinstance(source, fx.Node)
    if layer.running_mean is None or layer.running_var is None:
        raise _UnknownLayer("batch norm without running statistics")
    previous = e.modules.get(str(source.target)) if source.op == "call_module" else None
    if isinstance(previous, nn.Conv2d) and _only_user_is_batch_norm(source, e.modules) is layer:
        e.names[node] = e.names[source]  # folded into the convolution
        return
    if not layer.affine:
        raise _UnknownLayer("batch norm without weight and bias")
    parts = {"scale": layer.weight, "bias": layer.bias, "mean": layer.running_mean, "var": layer.running_var}
    weights = [e.weight(f"{node.name}.{name}", value) for name, value in parts.items()]
    e.emit("BatchNormalization", node, [e.value(source, node), *weights], epsilon=layer.eps)


def _linear(e: _Emitter, node: fx.Node, layer: nn.Linear) -> None:
    if node.args[0] not in e.flat:
        raise _UnknownLayer("a linear layer on more than two axes")
    e.emit("Gemm", node, e.weighted(node, layer.weight, layer.bias), transB=1)


def _pool(e: _Emitter, node: fx.Node, layer: nn.AdaptiveAvgPool2d) -> None:
    if layer.output_size not in (1, (1, 1)):
        raise _UnknownLayer(f"adaptive pooling to {layer.output_size}")
    e.emit("GlobalAveragePool", node, [e.value(node.args[0], node)])


def _avg_pool(e: _Emitter, node: fx.Node, layer: nn.AvgPool2d) -> None:
    if layer.ceil_mode or layer.divisor_override is not None:
        raise _UnknownLayer("average pooling with ceil mode or a divisor of its own")
    kernel, stride, padding = (
        v if isinstance(v, tuple) else (v, v) for v in (layer.kernel_size, layer.stride, layer.padding)
    )
    e.emit(
        "AveragePool",
        node,
        [e.value(node.args[0], node)],
        kernel_shape=kernel,
        strides=stride,
        pads=[*padding, *padding],
        count_include_pad=int(layer.count_include_pad),
    )


def _pass_through(e: _Emitter, node: fx.Node, layer: nn.Module) -> None:
    e.names[node] = e.value(node.args[0], node)


def _unary(op: str, **attributes: Any) -> Callable[[_Emitter, fx.Node, Any], None]:
    return lambda e, node, _layer: e.emit(op, node, [e.value(node.args[0], node)], **attributes)


def _flatten(e: _Emitter, node: fx.Node, layer: nn.Flatten) -> None:
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise _UnknownLayer(f"flatten from {layer.start_dim} to {layer.end_dim}")
    e.flat.add(node)
    e.emit("Flatten", node, [e.value(node.args[0], node)], axis=1)


_LAYERS: dict[type[nn.Module], Callable[[_Emitter, fx.Node, Any], None]] = {
    nn.Conv2d: _conv,
    nn.BatchNorm2d: _batch_norm,
    nn.Linear: _linear,
    nn.AdaptiveAvgPool2d: _pool,
    nn.AvgPool2d: _avg_pool,
    nn.ReLU: _unary("Relu"),
    nn.Hardswish: _unary("HardSwish"),
    nn.Hardsigmoid: _unary("HardSigmoid", alpha=1 / 6, beta=0.5),
    nn.Sigmoid: _unary("Sigmoid"),
    nn.Flatten: _flatten,
    nn.Identity: _pass_through,
    nn.Dropout: _pass_through,
}
_FUNCTIONS: dict[Any, str] = {operator.add: "Add", torch.add: "Add", operator.mul: "Mul", torch.mul: "Mul"}


def _fast(module: nn.Module, shape: tuple[int, ...], out_shape: tuple[int, ...]) -> bytes:
    if type(module) in _LAYERS:
        module = nn.Sequential(module)  # tracing looks inside the outermost module
    try:
        graph = fx.symbolic_trace(module).graph
    except Exception as error:  # tracing runs the user's own forward
        raise _UnknownLayer(str(error)) from error
    e = _Emitter(dict(module.named_modules()))
    result = ""
    for node in graph.nodes:
        if node.op == "placeholder" and not e.names:
            e.names[node] = "input"
            if len(shape) == 2:
                e.flat.add(node)
        elif node.op == "call_module" and type(e.modules[str(node.target)]) in _LAYERS:
            layer = e.modules[str(node.target)]
            _LAYERS[type(layer)](e, node, layer)
        elif node.op == "call_function" and node.target in _FUNCTIONS and not node.kwargs:
            e.emit(_FUNCTIONS[node.target], node, [e.value(a, node) for a in node.args])
        elif node.op == "output":
            result = e.value(node.args[0], node)
        else:
            raise _UnknownLayer(f"{node.op} {node.target}")
        if node.all_input_nodes and e.flat.issuperset(node.all_input_nodes):
            e.flat.add(node)
    if result == "input":
        raise _UnknownLayer("a module without any layer")
    graph_proto = helper.make_graph(
        e.nodes,
        "hwnas",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, out_shape)],
        e.weights,
    )
    model = helper.make_model(graph_proto, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="hwnas")
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())


def _slow(module: nn.Module, shape: tuple[int, ...]) -> bytes:
    program = torch.onnx.export(
        module, (torch.zeros(shape),), dynamo=True, optimize=True, opset_version=OPSET + 1, verbose=False
    )
    assert program is not None
    model = program.model_proto
    model.ir_version = _IR_VERSION
    return bytes(model.SerializeToString())


def onnx_from_module(module: nn.Module, in_shape: tuple[int, ...], batch: int = 1) -> bytes:
    """The ONNX model of a torch module in eval mode, input [batch, *in_shape]. Leaves the module as it was."""
    modes = {layer: layer.training for layer in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            zeros = torch.zeros(batch, *in_shape)
            return _fast(module, tuple(zeros.shape), tuple(module(zeros).shape))
    except _UnknownLayer:
        return _slow(module, (batch, *in_shape))
    finally:
        for layer, training in modes.items():
            layer.training = training


def weight_mb(model: bytes) -> float:
    """Megabytes (1e6 bytes) of weights in an ONNX model."""
    graph = onnx.load_model_from_string(model).graph
    return sum(numpy_helper.to_array(w).nbytes for w in graph.initializer) / 1e6
