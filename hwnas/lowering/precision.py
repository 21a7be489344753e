"""ONNX models in other precisions: int8 by static quantisation, fp16 by conversion.

Quantised models have QuantizeLinear / DequantizeLinear pairs, and 8-bit weights with a scale for each output channel
(Jacob et al. 2018; Krishnamoorthi 2018, section 3). Where the pairs stand, and whether activations have a sign, is the
`QuantisedForm`, for runtimes differ in what they run as integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from hwnas.lowering.ranges import Range, calibrate
from latency_tables import HwnasError
from profilers import Int8Form

PRECISIONS = ("fp32", "fp16", "int8")
_PRODUCTS = ("Conv", "Gemm", "MatMul")
_INTEGER_OPS = (
    *_PRODUCTS,
    "Add",
    "Mul",
    "Relu",
    "Clip",
    "Sigmoid",
    "GlobalAveragePool",
    "AveragePool",
    "MaxPool",
    "Concat",
    "Flatten",
    "Reshape",
)


@dataclass(frozen=True)
class QuantisedForm:
    """Which ops of a model have integers at their ends, and of what kind.

    `signed`: activations are int8 around zero, else uint8 with a zero point. `ops` have 8-bit inputs, and 8-bit outputs
    too but where `inputs_only`; biases are 32-bit integers, or floats where `inputs_only`.
    """

    ops: tuple[str, ...]
    signed: bool = False
    inputs_only: bool = False

    def options(self) -> dict[str, Any]:
        """The same as onnxruntime's quantiser calls it."""
        if not self.inputs_only:
            return {}
        excluded = [*self.ops, "Add", "Mul", "GlobalAveragePool"]
        return {"QuantizeBias": False, "OpTypesToExcludeOutputQuantization": excluded} | {
            "ActivationSymmetric": self.signed,
            "WeightSymmetric": True,
        }


BETWEEN_OPS = QuantisedForm(_INTEGER_OPS)
"""Every value between two ops with an integer kernel stays 8-bit: what onnxruntime runs fastest.

Hard swish and hard sigmoid have none there and run as floats between two of those.
"""
PRODUCT_INPUTS = QuantisedForm(_PRODUCTS, signed=True, inputs_only=True)
"""Only the inputs and weights of matrix products: what TensorRT takes, which refuses zero points and integer biases."""


FORMS: Mapping[Int8Form, QuantisedForm] = {"between-ops": BETWEEN_OPS, "product-inputs": PRODUCT_INPUTS}
"""The forms by the names under which a runtime says what it wants (`profilers.Profiler.int8_form`)."""


def in_precision(
    model: bytes,
    precision: str,
    *,
    form: Int8Form = "between-ops",
    float_input: bool = True,
    float_output: bool = True,
) -> bytes:
    """An fp32 model in another of `PRECISIONS`, good for timing: calibrated on random data, see `quantised`.

    Raises `HwnasError` for an unknown precision.
    """
    match precision:
        case "fp32":
            return model
        case "fp16":
            return halved(model, float_output=float_output)
        case "int8":
            return quantised(model, form=FORMS[form], float_input=float_input, float_output=float_output)
    raise HwnasError(f"unknown precision {precision!r}; there are {', '.join(PRECISIONS)}")


def halved(model: bytes, *, float_output: bool = False) -> bytes:
    """An fp32 model in fp16, float inputs too, and outputs unless they stay fp32 (`float_output`)."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    proto = onnx.load_model_from_string(model)
    kept = [output.name for output in proto.graph.output] if float_output else False
    return bytes(convert_float_to_float16(proto, keep_io_types=kept).SerializeToString())


def quantised(
    model: bytes,
    ranges: Mapping[str, Range] | None = None,
    *,
    form: QuantisedForm = BETWEEN_OPS,
    seven_bit_weights: bool = False,
    float_input: bool = True,
    float_output: bool = True,
) -> bytes:
    """An fp32 model with one input in int8.

    `ranges`: lowest and highest number of every value, by its name, as one of `RANGE_METHODS` makes them of what
    `calibrate` has seen; without them those of random inputs are taken: enough to time a model but not to ship it.
    `seven_bit_weights`: on x86 processors without VNNI sums of two products of an unsigned and a signed 8-bit integer
    are cut off at 16 bits, which spoils answers; with weights of 7 bits they fit.
    A model that ships keeps the types of its ends; a piece of a network whose neighbours are 8-bit too takes and gives
    8-bit integers where not `float_input`, `float_output`, unless floats flow between ops in this form.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import add_infer_metadata

    proto = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model))
    add_infer_metadata(proto)  # without this note the quantiser would do the same once more, through files
    if ranges is None:
        ranges = {name: seen.extremes() for name, seen in calibrate(model).items()}
    reaches = {n: TensorData(lowest=np.float32(low), highest=np.float32(high)) for n, (low, high) in ranges.items()}
    quantiser = QDQQuantizer(
        proto,
        per_channel=True,
        reduce_range=seven_bit_weights,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if form.signed else QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, reaches),
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=list(form.ops),
        extra_options=form.options(),
    )
    if form.inputs_only:  # then floats are what flows between ops, too
        float_input = float_output = True
    # Ends that no quantised op reads or writes are quantised too where the neighbour's are.
    ends = [*(proto.graph.input if not float_input else ()), *(proto.graph.output if not float_output else ())]
    for value in ends:
        quantiser.quantize_activation_tensor(value.name)
    quantiser.quantize_model()
    quantiser.model.topological_sort()
    result = quantiser.model.model
    if not float_input:
        _take_integers(result.graph)
    if not float_output:
        _give_integers(result.graph)
    return bytes(result.SerializeToString())


def _take_integers(graph: onnx.GraphProto) -> None:
    """Drop the QuantizeLinear after the input, unless something else reads the floats too."""
    (value,) = graph.input
    readers = [node for node in graph.node if value.name in node.input]
    if [node.op_type for node in readers] == ["QuantizeLinear"]:
        _drop(graph, readers[0], readers[0].output[0], value)


def _give_integers(graph: onnx.GraphProto) -> None:
    """Drop the DequantizeLinear before the output."""
    (value,) = graph.output
    (last,) = (node for node in graph.node if value.name in node.output)
    if last.op_type == "DequantizeLinear":
        _drop(graph, last, last.input[0], value)


def _drop(graph: onnx.GraphProto, node: onnx.NodeProto, integers: str, value: onnx.ValueInfoProto) -> None:
    """Take a node out, so that the 8-bit `integers` on its other side are the graph's input or output."""
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    graph.node.remove(node)
    value.CopyFrom(helper.make_tensor_value_info(integers, TensorProto.UINT8, shape))
