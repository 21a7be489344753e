"""From an ONNX graph to a torch.fx module, for the ops that our exporter writes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from profilers.runtimes.onnx_reader import OnnxGraph, OnnxNode, conv_of, hard_sigmoid_of, linear_weight, require_flat


def module_from_graph(graph: OnnxGraph) -> Any:
    """A torch.fx.GraphModule in eval mode that answers a tuple; the weights keep their type.

    Raises `ProfilerError` for an attribute that torch's layers do not have.
    """
    import torch
    from torch import fx, nn

    layers, traced = nn.Module(), fx.Graph()
    values = {name: traced.placeholder(f"input{i}") for i, name in enumerate(graph.inputs)}

    def add(node: OnnxNode) -> None:
        if node.op == "Cast":
            values[node.output] = traced.call_method("to", (values[node.inputs[0]], _float_type(torch, node)))
        elif node.op in _FUNCTIONS:
            for constant in graph.weights.keys() & node.inputs - values.keys():
                name = f"constant{len(values)}"
                layers.register_buffer(name, torch.tensor(graph.weights[constant]))
                values[constant] = traced.get_attr(name)
            values[node.output] = traced.call_function(_FUNCTIONS[node.op], tuple(values[n] for n in node.inputs))
        else:
            name = f"layer{len(values)}"
            layers.add_module(name, _LAYERS[node.op](torch, node, *graph.weights_of(node)))
            values[node.output] = traced.call_module(name, (values[node.inputs[0]],))

    graph.walk("torch", add)
    traced.output(tuple(values[name] for name in graph.outputs))
    return fx.GraphModule(layers, traced).eval().requires_grad_(False)


def _filled(torch: Any, layer: Any, **arrays: Any) -> Any:
    """Put arrays in place of the parameters and buffers of a layer that was made without any memory."""
    for name, array in arrays.items():
        if array is not None:
            tensor = torch.tensor(array)
            setattr(layer, name, torch.nn.Parameter(tensor) if name in dict(layer.named_parameters()) else tensor)
    return layer


def _float_type(torch: Any, node: OnnxNode) -> Any:
    types = {1: torch.float32, 10: torch.float16}  # by their number in ONNX
    if node.attributes["to"] not in types:
        raise ValueError("a cast to anything but floats")
    return types[node.attributes["to"]]


def _conv(torch: Any, node: OnnxNode, weight: Any, bias: Any = None) -> Any:
    how, groups = conv_of(node), node.attributes.get("group", 1)
    top_left, bottom_right = how["pads"][:2], how["pads"][2:]
    if top_left != bottom_right:
        raise ValueError(f"uneven padding {how['pads']}")
    outputs, inputs, *kernel = weight.shape
    sizes = inputs * groups, outputs, tuple(kernel), how["strides"], top_left, how["dilations"], groups
    return _filled(torch, torch.nn.Conv2d(*sizes, bias is not None, device="meta"), weight=weight, bias=bias)


def _gemm(torch: Any, node: OnnxNode, weight: Any, bias: Any = None) -> Any:
    weight = linear_weight(node, weight)
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    return _filled(torch, layer, weight=weight, bias=bias)


def _batch_norm(torch: Any, node: OnnxNode, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    layer = torch.nn.BatchNorm2d(len(scale), node.attributes.get("epsilon", 1e-5), device="meta")
    return _filled(
        torch, layer, weight=scale, bias=bias, running_mean=mean, running_var=variance, num_batches_tracked=0
    )


def _flatten(torch: Any, node: OnnxNode) -> Any:
    require_flat(node)
    return torch.nn.Flatten()


def _hard_sigmoid(torch: Any, node: OnnxNode) -> Any:
    slope, offset = hard_sigmoid_of(node)
    if not (math.isclose(slope, 1 / 6, rel_tol=1e-5) and offset == 0.5):
        raise ValueError(f"slope {slope:g} and offset {offset:g} are not 1/6 and 1/2")
    return torch.nn.Hardsigmoid()


_LAYERS: dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "BatchNormalization": _batch_norm,
    "GlobalAveragePool": lambda torch, node: torch.nn.AdaptiveAvgPool2d(1),
    "Flatten": _flatten,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda torch, node: torch.nn.Hardswish(),
    "Relu": lambda torch, node: torch.nn.ReLU(),
    "Sigmoid": lambda torch, node: torch.nn.Sigmoid(),
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"Add": operator.add, "Sub": operator.sub, "Mul": operator.mul}
KNOWN_OPS = (*_LAYERS, *_FUNCTIONS, "Cast")
