import sys

import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers import InputSpec
from profilers.runtimes.onnx_reader import OnnxNode, conv_of, read_graph

pytest.importorskip("onnx")

ANY = ["any", "size", "at", "all"]


def refusal(call, *args):
    with pytest.raises(ProfilerError) as e:
        call(*args)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_a_graph_as_plain_values(make_onnx):
    weight = np.arange(16, dtype=np.float32).reshape(4, 4, 1, 1)
    nodes = [("Conv", ["x", "w"], "h", {"strides": [2, 1]}), ("HardSigmoid", ["h"], "y", {"alpha": 0.25})]
    graph = read_graph(make_onnx(nodes, {"w": weight}, ["n", 4, 8, 8], ANY), 3, "abacus", ("Conv", "HardSigmoid"))
    assert graph.inputs == {"x": InputSpec((3, 4, 8, 8), "float32")}
    assert graph.outputs == ("y",)
    assert graph.nodes == (
        OnnxNode("Conv", "h", ("x", "w"), "h", {"strides": [2, 1]}),
        OnnxNode("HardSigmoid", "y", ("h",), "y", {"alpha": 0.25}),
    )
    (array,) = graph.weights_of(graph.nodes[0])
    assert np.array_equal(array, weight)


def test_what_is_no_model(onnx_model):
    for broken in (b"", b"garbage", onnx_model()[:50]):
        assert refusal(read_graph, broken, 1, "abacus", ("Conv",)).startswith("abacus cannot read the model: ")


def test_an_op_that_is_not_known(onnx_model):
    assert refusal(read_graph, onnx_model(), 1, "abacus", ("Add", "Mul")) == (
        "abacus here knows no Conv (y), only Add, Mul"
    )


def test_without_onnx(onnx_model, monkeypatch):
    model = onnx_model()
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert refusal(read_graph, model, 1, "abacus", ("Conv",)) == (
        "abacus reads models through onnx, which is not installed: pip install onnx"
    )


def test_convolution_settings():
    def conv(**attributes):
        return conv_of(OnnxNode("Conv", "c", ("x", "w"), "y", attributes))

    assert conv() == {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    assert conv(strides=[2, 3], pads=[1, 2, 3, 4], auto_pad=b"NOTSET")["pads"] == (1, 2, 3, 4)
    with pytest.raises(ValueError, match="automatic padding"):
        conv(auto_pad=b"SAME_UPPER")
    with pytest.raises(ValueError, match="two-dimensional"):
        conv(strides=[1])
