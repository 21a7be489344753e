"""Whether a runtime computes in a precision at all, known from one convolution before any work."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from hwnas.lowering.precision import in_precision
from profilers import Profiler

_CHANNELS, _SIZE = 16, 8


def require_precision(profiler: Profiler) -> None:
    """Build a 3x3 convolution in the profiler's precision: a runtime may fall back to another without a word.

    Raises `HwnasError` for an unknown precision, and `ProfilerError` when the runtime falls back or refuses it.
    """
    precision, form = profiler.target().precision, profiler.int8_form
    if precision != "fp32":
        model = in_precision(_convolution(), precision, form=form, float_input=False, float_output=False)
        profiler.build(model)


def _convolution() -> bytes:
    """It keeps the size and the number of channels of its input."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, _CHANNELS, _SIZE, _SIZE]) for n in "xy"]
    weights = np.random.default_rng(0).normal(0, 0.1, (_CHANNELS, _CHANNELS, 3, 3)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], "convolution", kernel_shape=[3, 3], pads=[1] * 4)
    graph = helper.make_graph([node], "probe", ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
