"""From an ONNX graph to a torch.fx module, for the ops that our exporter writes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from latency_tables import ProfilerError
from profilers.runtimes.onnx_reader import OnnxGraph, OnnxNode, conv_of


def module_from_graph(graph: OnnxGraph) -> Any:
    """A torch.fx.GraphModule in eval mode that answers a tuple; the weights keep their type.

    Raises `ProfilerError` for an attribute that torch's layers do not have.
    """
    import torch
    from torch import fx, nn

    layers, traced = nn.Module(), fx.Graph()
    values = {name: traced.placeholder(f"input{i}") for i, name in enumerate(graph.inputs)}
    for i, node in enumerate(graph.nodes):
        try:
            if node.op == "Cast":
                values[node.output] = traced.call_method("to", (values[node.inputs[0]], _float_type(torch, node)))
                continue
            if node.op in _FUNCTIONS:
                for name in graph.weights.keys() & node.inputs - values.keys():
                    layers.register_buffer(f"constant{i}", torch.tensor(graph.weights[name]))
                    values[name] = traced.get_attr(f"constant{i}")
                values[node.output] = traced.call_function(_FUNCTIONS[node.op], tuple(values[n] for n in node.inputs))
                continue
            layer = _LAYERS[node.op](torch, node, *graph.weights_of(node))
        except KeyError as e:
            raise ProfilerError(f"torch here cannot run {node.name} ({node.op}): its input {e} is unforeseen") from None
        except ValueError as e:
            raise ProfilerError(f"torch here cannot run {node.name} ({node.op}): {e}") from None
        layers.add_module(f"layer{i}", layer)
        values[node.output] = traced.call_module(f"layer{i}", (values[node.inputs[0]],))
    traced.output(tuple(values[name] for name in graph.outputs))
    return fx.GraphModule(layers, traced).eval().requires_grad_(False)


def _filled(torch: Any, layer: Any, **arrays: Any) -> Any:
    """Put arrays in place of the parameters and buffers of a layer that was made without any memory."""
    for name, array in arrays.items():
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
    pads = how["pads"]
    if pads[:2] != pads[2:]:
        raise ValueError(f"uneven padding {pads}")
    outputs, inputs, *kernel = weight.shape
    layer = torch.nn.Conv2d(
        inputs * groups,
        outputs,
        (kernel[0], kernel[1]),
        how["strides"],
        pads[:2],
        how["dilations"],
        groups,
        bias is not None,
        device="meta",
    )
    return _filled(torch, layer, weight=weight, **({} if bias is None else {"bias": bias}))


def _gemm(torch: Any, node: OnnxNode, weight: Any, bias: Any = None) -> Any:
    a = node.attributes
    if (a.get("alpha", 1.0), a.get("beta", 1.0), a.get("transA", 0)) != (1.0, 1.0, 0):
        raise ValueError("only x W + b is known")
    weight = weight if a.get("transB", 0) else weight.T
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    return _filled(torch, layer, weight=weight, **({} if bias is None else {"bias": bias}))


def _batch_norm(torch: Any, node: OnnxNode, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    layer = torch.nn.BatchNorm2d(len(scale), node.attributes.get("epsilon", 1e-5), device="meta")
    return _filled(
        torch, layer, weight=scale, bias=bias, running_mean=mean, running_var=variance, num_batches_tracked=0
    )


def _pool(torch: Any, node: OnnxNode) -> Any:
    return torch.nn.AdaptiveAvgPool2d(1)


def _flatten(torch: Any, node: OnnxNode) -> Any:
    if node.attributes.get("axis", 1) != 1:
        raise ValueError(f"flattening from axis {node.attributes['axis']}")
    return torch.nn.Flatten()


def _hard_sigmoid(torch: Any, node: OnnxNode) -> Any:
    slope, offset = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    if not (math.isclose(slope, 1 / 6, rel_tol=1e-5) and offset == 0.5):
        raise ValueError(f"slope {slope:g} and offset {offset:g} are not 1/6 and 1/2")
    return torch.nn.Hardsigmoid()


def _activation(name: str) -> Callable[[Any, OnnxNode], Any]:
    def make(torch: Any, node: OnnxNode) -> Any:
        return getattr(torch.nn, name)()

    return make


_LAYERS: dict[str, Callable[..., Any]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "BatchNormalization": _batch_norm,
    "GlobalAveragePool": _pool,
    "Flatten": _flatten,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _activation("Hardswish"),
    "Relu": _activation("ReLU"),
    "Sigmoid": _activation("Sigmoid"),
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {"Add": operator.add, "Sub": operator.sub, "Mul": operator.mul}
KNOWN_OPS = (*_LAYERS, *_FUNCTIONS, "Cast")
