"""ONNX models in other precisions: int8 by static quantisation, fp16 by conversion.

Quantised models have QuantizeLinear / DequantizeLinear pairs, and 8-bit weights with a scale for each output channel
(Jacob et al. 2018; Krishnamoorthi 2018, section 3). Where the pairs stand, and whether activations have a sign, is the
`QuantisedForm`, for runtimes differ in what they run as integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from latency_tables import HwnasError
from profilers import Int8Form

Samples: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
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
_CALIBRATION_BATCHES = 8


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
            return halved(model)
        case "int8":
            return quantised(model, form=FORMS[form], float_input=float_input, float_output=float_output)
    raise HwnasError(f"unknown precision {precision!r}; there are {', '.join(PRECISIONS)}")


def halved(model: bytes) -> bytes:
    """An fp32 model in fp16, float inputs and outputs too."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return bytes(convert_float_to_float16(onnx.load_model_from_string(model)).SerializeToString())


def quantised(
    model: bytes,
    samples: Samples | None = None,
    *,
    form: QuantisedForm = BETWEEN_OPS,
    float_input: bool = True,
    float_output: bool = True,
) -> bytes:
    """An fp32 model with one input in int8.

    `samples` [n, ...] are inputs to calibrate the ranges of all values on; without them standard normal numbers are
    taken, or uniform ones where it takes 8-bit images: enough to time a model but not to ship it. A model that ships
    keeps the types of its ends; a piece of a network whose neighbours are 8-bit too takes and gives 8-bit integers
    where not `float_input`, `float_output`, unless floats flow between ops in this form.
    Raises `HwnasError` when there are no samples for one batch.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import add_infer_metadata

    proto = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model))
    add_infer_metadata(proto)  # without this note the quantiser would do the same once more, through files
    seen = {
        name: TensorData(lowest=np.float32(low), highest=np.float32(high))
        for name, (low, high) in _ranges(proto, samples).items()
    }
    quantiser = QDQQuantizer(
        proto,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8 if form.signed else QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, seen),
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


def _ranges(proto: onnx.ModelProto, samples: Samples | None) -> dict[str, tuple[float, float]]:
    """Lowest and highest number of every value of the model over the samples."""
    import onnxruntime as ort

    every = onnx.ModelProto()
    every.CopyFrom(proto)
    shown = {output.name for output in every.graph.output}
    values = [name for node in every.graph.node for name in node.output if name not in shown]
    every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in values)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused ops hide their values
    session = ort.InferenceSession(every.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    names = [image.name, *(output.name for output in session.get_outputs())]
    ranges: dict[str, tuple[float, float]] = {}
    dtype = np.uint8 if image.type == "tensor(uint8)" else np.float32
    for batch in _batches(tuple(image.shape), dtype, samples):
        answers = [batch, *session.run(None, {image.name: batch})]
        for name, value in zip(names, answers, strict=True):
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(value.min())), max(high, float(value.max()))
    return ranges


def _batches(shape: tuple[int, ...], dtype: type[np.generic], samples: Samples | None) -> list[Samples]:
    """Samples cut into batches of the model's size, the rest left out; random ones where there are none."""
    size = shape[0]
    if samples is None:
        rng = np.random.default_rng(0)
        if dtype is np.uint8:
            return [rng.integers(0, 256, shape, np.uint8) for _ in range(_CALIBRATION_BATCHES)]
        return [rng.standard_normal(shape).astype(np.float32) for _ in range(_CALIBRATION_BATCHES)]
    if samples.shape[1:] != shape[1:] or len(samples) < size:
        raise HwnasError(f"the model takes inputs {list(shape)}, calibration samples are {list(samples.shape)}")
    ends = range(size, len(samples) + 1, size)
    return [np.ascontiguousarray(samples[end - size : end], dtype=dtype) for end in ends]


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
