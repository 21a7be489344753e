import struct

import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers.runtimes.ncnn import NcnnProfiler
from profilers.runtimes.ncnn_model import KNOWN_OPS, ncnn_from_graph
from profilers.runtimes.onnx_reader import read_graph

pytest.importorskip("onnx")

ANY = ["any", "size", "at", "all"]


def refusal(call, *args, **kwargs):
    with pytest.raises(ProfilerError) as e:
        call(*args, **kwargs)
    assert "\n" not in str(e.value)
    return str(e.value)


def convert(model):
    return ncnn_from_graph(read_graph(model, 1, "ncnn", KNOWN_OPS))


def ones(*shape):
    return np.ones(shape, np.float32)


@pytest.fixture
def needs_ncnn():
    pytest.importorskip("ncnn")


def test_the_text_and_the_weights_of_a_convolution(make_onnx):
    weight = np.arange(2 * 3 * 3 * 5, dtype=np.float32).reshape(2, 3, 3, 5)
    bias = np.array([7.0, 8.0], np.float32)
    how = {"strides": [2, 1], "pads": [1, 2, 3, 4], "dilations": [1, 2]}
    nodes = [("Conv", ["x", "w", "b"], "h", how), ("HardSwish", ["h"], "y", {})]
    found = convert(make_onnx(nodes, {"w": weight, "b": bias}, [1, 3, 8, 9], ANY))
    assert found.param.splitlines() == [
        "7767517",
        "2 2",
        "Input input 0 1 b1",
        # width before height; pads left, top, right, bottom; hard swish fused with its slope and offset
        "Convolution h 1 1 b1 b2 0=2 1=5 11=3 2=2 12=1 3=1 13=2 4=2 14=1 15=4 16=3 5=1 6=90 "
        "9=6 -23310=2,1.666667e-01,5.000000e-01",
    ]
    assert found.weights == b"\0\0\0\0" + struct.pack("<90f", *range(90)) + struct.pack("<2f", 7, 8)
    assert (found.input, found.outputs) == ("b1", ("b2",))


def test_values_read_twice_are_split(make_onnx):
    nodes = [("Relu", ["x"], "h", {}), ("Mul", ["h", "h"], "m", {}), ("Add", ["m", "h"], "y", {})]
    assert convert(make_onnx(nodes, {}, [1, 2, 3, 3], [1, 2, 3, 3])).param.splitlines()[1:] == [
        "5 7",
        "Input input 0 1 b1",
        "ReLU h 1 1 b1 b2",
        "Split h_split 1 3 b2 b3 b4 b5",
        "BinaryOp m 2 1 b5 b4 b6 0=2",
        "BinaryOp y 2 1 b6 b3 b7 0=0",
    ]


def test_an_activation_that_others_read_past_is_not_fused(make_onnx):
    nodes = [("Conv", ["x", "w"], "h", {}), ("Relu", ["h"], "r", {}), ("Add", ["r", "h"], "y", {})]
    kinds = [
        line.split()[0]
        for line in convert(make_onnx(nodes, {"w": ones(2, 2, 1, 1)}, [1, 2, 3, 3], ANY)).param.splitlines()[2:]
    ]
    assert kinds == ["Input", "Convolution", "Split", "ReLU", "BinaryOp"]


def test_convolutions_after_global_pooling_are_matrix_products(make_onnx):
    nodes = [("GlobalAveragePool", ["x"], "p", {}), ("Conv", ["p", "w"], "y", {})]
    line = convert(make_onnx(nodes, {"w": ones(5, 2, 1, 1)}, [1, 2, 3, 3], ANY)).param.splitlines()[-1]
    assert line == "InnerProduct y 1 1 b2 b3 0=5 1=0 2=10"


@pytest.mark.parametrize(
    ("nodes", "weights", "complaint"),
    [
        (
            [("GlobalAveragePool", ["x"], "p", {}), ("Conv", ["p", "w"], "y", {"pads": [1] * 4})],
            {"w": ones(2, 2, 3, 3)},
            "ncnn here cannot run y (Conv): after global pooling only plain 1x1 convolutions are known",
        ),
        ([("Flatten", ["x"], "y", {"axis": 2})], {}, "ncnn here cannot run y (Flatten): flattening from axis 2"),
        ([("Add", ["x", "w"], "y", {})], {"w": ones(1)}, "ncnn here cannot run y (Add): its input 'w' is unforeseen"),
        (
            [("Sub", ["x", "w"], "y", {})],
            {"w": ones(1)},
            "ncnn here cannot run y (Sub): a constant of shape [1], not [1, c, 1, 1]",
        ),
        (
            [("Cast", ["x"], "y", {"to": 6})],
            {},
            "ncnn here cannot run y (Cast): only the cast of the image to floats, read by one node, is known",
        ),
        ([("Gelu", ["x"], "y", {})], {}, f"ncnn here knows no Gelu (y), only {', '.join(KNOWN_OPS)}"),
    ],
)
def test_what_is_not_known(make_onnx, nodes, weights, complaint):
    opset = {"opset": 20} if nodes[0][0] == "Gelu" else {}
    assert refusal(convert, make_onnx(nodes, weights, [1, 2, 3, 3], ANY, **opset)) == complaint


@pytest.mark.usefixtures("needs_ncnn")
def test_target():
    target = NcnnProfiler(2).target()
    assert (target.runtime, target.precision, target.batch, target.threads) == ("ncnn", "fp32", 1, 2)


@pytest.mark.usefixtures("needs_ncnn")
def test_one_image_at_a_time(onnx_model):
    assert refusal(NcnnProfiler, batch=2) == "ncnn runs one image at a time: batch must be 1, got 2"
    with NcnnProfiler().open(onnx_model(batch="n")) as session:
        assert [answer.shape for answer in session.outputs()] == [(4, 8, 8)]
    assert refusal(NcnnProfiler().open, onnx_model(batch=2)) == "ncnn here runs one image at a time, not [2, 4, 8, 8]"


@pytest.mark.usefixtures("needs_ncnn")
def test_other_precisions_are_refused(make_onnx, int8_model):
    assert refusal(NcnnProfiler, precision="int8") == "ncnn is measured in fp32, not in 'int8'"
    assert refusal(NcnnProfiler().open, int8_model).startswith("ncnn here knows no DequantizeLinear (")
    half = make_onnx(
        [("Conv", ["x", "w"], "y", {})], {"w": np.ones((2, 2, 1, 1), np.float16)}, [1, 2, 3, 3], ANY, "FLOAT16"
    )
    assert refusal(NcnnProfiler().open, half).startswith("ncnn runs w (weight) in float16, not in fp32; ")


@pytest.mark.usefixtures("needs_ncnn")
def test_a_model_is_converted_once(onnx_model, monkeypatch):
    profiler, seen = NcnnProfiler(), []
    converted = profiler._converted
    monkeypatch.setattr(profiler, "_converted", lambda model: seen.append(model) or converted(model))
    for model in (onnx_model(1), onnx_model(2), onnx_model(1)):
        profiler.open(model).close()
    assert seen == [onnx_model(1), onnx_model(2)]


@pytest.mark.usefixtures("needs_ncnn")
def test_every_known_op_computes_what_onnx_says(make_onnx):
    rng = np.random.default_rng(0)
    weights = {
        "scale": np.array([2.0, 4.0], np.float32),
        "bias": np.array([1.0, -1.0], np.float32),
        "mean": np.array([3.0, 0.0], np.float32),
        "variance": np.array([4.0, 16.0], np.float32),
        "offset": np.array([0.5, -1.5], np.float32).reshape(1, 2, 1, 1),
        "factor": np.array([0.25, 3.0], np.float32).reshape(1, 2, 1, 1),
        "depthwise": rng.standard_normal((2, 1, 3, 3)).astype(np.float32),
        "w": rng.standard_normal((8, 3)).astype(np.float32),
    }
    nodes = [
        ("BatchNormalization", ["x", "scale", "bias", "mean", "variance"], "n", {"epsilon": 1e-3}),
        ("Conv", ["n", "depthwise"], "c", {"group": 2, "pads": [1] * 4, "strides": [2, 2]}),
        ("HardSigmoid", ["c"], "s", {"alpha": 0.25, "beta": 0.4}),
        ("Mul", ["c", "s"], "m", {}),
        ("HardSwish", ["m"], "h", {}),
        ("Relu", ["h"], "r", {}),
        ("Sub", ["r", "offset"], "o", {}),
        ("Mul", ["o", "factor"], "k", {}),
        ("Sub", ["k", "h"], "d", {}),
        ("Cast", ["d"], "e", {"to": 1}),
        ("Add", ["e", "c"], "a", {}),
        ("Sigmoid", ["a"], "g", {}),
        ("Flatten", ["g"], "f", {}),
        ("Gemm", ["f", "w"], "y", {}),
    ]
    model = make_onnx(nodes, weights, [1, 2, 4, 3], [1, 3])
    from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

    with OnnxRuntimeProfiler().open(model) as expected, NcnnProfiler().open(model) as found:
        np.testing.assert_allclose(found.outputs()[0], expected.outputs()[0][0], rtol=1e-4, atol=1e-5)
