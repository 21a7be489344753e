import json

import pytest

from latency_tables import ProfilerError
from profilers.engines.layers import EngineLayer, EngineTensor
from profilers.runtimes.tensorrt.layers import layers_of_json, layers_of_log

CONV = "Name: conv_0, LayerType: correlation, Inputs: [ { Name: x, Dimensions: [1,3,8,8], Strides: [192,64,8,1], "
CONV += "StrideOrder: [3,2,1,0], Datatype: Half, Format: (NHWC) Channel major format }], Constants: [ { Name: w, "
CONV += "Dimensions: [16,3,3,3], Datatype: Half, Format: (NHWC) Channel major format }, { Name: one, Dimensions: [1], "
CONV += "Datatype: Float, Format: (Linear) Row major linear format }], Outputs: [ { Name: y, Dimensions: [1,16,8,8], "
CONV += "Datatype: Half, Format: (NHWC) Channel major format }], TacticName: fast, StreamId: 0, "
CONV += "Metadata: [ONNX Layer: conv][ONNX Layer: relu]"
MOVE = "Name: move, LayerType: kgen, Inputs: [], Constants: [], Outputs: [], TacticName: , StreamId: 0, Metadata: "
LOG = f"Layers:\n{CONV}\n{MOVE}\n\nI/O Tensors:\n Name: x, IOMode: Input\n\nEngine Metadata:\n"

NHWC = "(NHWC) Channel major format"
EXPECTED = EngineLayer(
    name="conv_0",
    kind="correlation",
    inputs=(EngineTensor((1, 3, 8, 8), "fp16", NHWC),),
    weights=(
        EngineTensor((16, 3, 3, 3), "fp16", NHWC),
        EngineTensor((1,), "fp32", "(Linear) Row major linear format"),
    ),
    outputs=(EngineTensor((1, 16, 8, 8), "fp16", NHWC),),
    onnx_nodes=("conv", "relu"),
    tactic="fast",
)


def test_the_text_of_a_build_log():
    assert layers_of_log(["Parsing", LOG]) == (EXPECTED, EngineLayer("move", "kgen"))


def test_json_of_version_11():
    tensor = {"Name": "x", "Dimensions": [1, 3, 8, 8], "Datatype": "Half", "Format": NHWC}
    layer = {
        "Name": "conv_0",
        "LayerType": "gemm",
        "Inputs": [tensor],
        "Constants": [tensor | {"Dimensions": [16, 3, 3, 3], "Datatype": "Int8"}],
        "Outputs": [],
        "Metadata": "[ONNX Layer: conv]\x1f[ONNX Layer: relu]\x1e[ONNX Layer: conv]",
    }
    (found,) = layers_of_json(json.dumps({"Layers": [layer], "I/O Tensors": []}))
    assert found.inputs == (EngineTensor((1, 3, 8, 8), "fp16", NHWC),)
    assert [w.precision for w in found.weights] == ["int8"]
    assert found.onnx_nodes == ("conv", "relu")


def test_json_of_version_10():
    said = "Channel major FP16 format where channel % 8 == 0"
    layer = {
        "Name": "conv + relu",
        "LayerType": "CaskConvolution",
        "Inputs": [{"Name": "x", "Dimensions": [1, 3, 8, 8], "Format/Datatype": said}],
        "Outputs": [{"Name": "y", "Dimensions": [1, 16, 8, 8], "Format/Datatype": "Row major linear FP32"}],
        "Weights": {"Type": "Half", "Count": 432},
        "Bias": {"Type": "Half", "Count": 16},
        "TacticName": "sm86_xmma",
        "Metadata": "[ONNX Layer: conv]",
    }
    (found,) = layers_of_json(json.dumps({"Layers": [layer], "Bindings": ["x", "y"]}))
    assert found.inputs == (EngineTensor((1, 3, 8, 8), "fp16", said),)
    assert found.outputs[0].precision == "fp32"
    assert found.weights == (EngineTensor((432,), "fp16"),)
    assert found.kind == "CaskConvolution"


def test_what_tells_no_layers():
    with pytest.raises(ProfilerError, match="lists no layers"):
        layers_of_log(["Parsing", "Done"])
    with pytest.raises(ProfilerError, match="names of its layers alone"):
        layers_of_json('{"Layers": ["conv", "relu"]}')
    for text in ("", "[]", "{}", '{"Layers": 3}', '{"Layers": [{}]}'):
        with pytest.raises(ProfilerError, match="not what TensorRT's inspector says"):
            layers_of_json(text)
