"""Real builds by TensorRT for RTX, which needs no GPU for them."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latency_tables import ProfilerError
from profilers.runtimes.tensorrt.build import BuildSettings, build_plan
from profilers.runtimes.tensorrt.package import TENSORRT_RTX, find_tensorrt

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'hwnas[tensorrt-rtx]'")
SETTINGS = BuildSettings(capability="8.6")


@pytest.fixture(scope="module")
def package():
    return find_tensorrt(TENSORRT_RTX)


def model_of(nodes, weights, shape, dtype=TensorProto.FLOAT, outputs=None):
    ends = [helper.make_tensor_value_info("x", dtype, shape), helper.make_tensor_value_info("y", dtype, outputs)]
    arrays = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def conv(inputs=8, dtype=np.float32, weight_dtype=None, batch=1):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((16, inputs, 3, 3)).astype(weight_dtype or dtype)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], "conv", pads=[1] * 4),
        helper.make_node("Relu", ["h"], ["y"], "relu"),
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return model_of(nodes, {"w": weight}, [batch, inputs, 8, 8], kind, [batch, 16, 8, 8])


@pytest.mark.parametrize(("dtype", "precision"), [(np.float32, "fp32"), (np.float16, "fp16")])
def test_precision_is_that_of_the_model_and_shown_by_the_layers(package, dtype, precision):
    engine, cache = build_plan(package, conv(dtype=dtype), precision, SETTINGS)
    assert engine.content
    assert cache is None  # this package keeps none
    assert engine.proof.products == 1
    assert engine.proof.offenders == ()
    assert {node for layer in engine.layers for node in layer.onnx_nodes} == {"conv", "relu"}
    assert engine.settings["capability"] == "8.6"
    assert engine.settings["level"] == "3"


def test_the_same_model_gives_the_same_plan(package):
    first, second = (build_plan(package, conv(), "fp32", SETTINGS)[0] for _ in range(2))
    assert first.content == second.content
    other, _ = build_plan(package, conv(), "fp32", BuildSettings(capability="12.0"))
    assert other.content != first.content


def test_an_inner_edge_costs_no_kernel(package):
    """An image comes row by row; what has more channels is handed from layer to layer channels-last."""
    linear = BuildSettings(capability="8.6", channels_last_edges=False)
    inner, moved = (build_plan(package, conv(), "fp32", settings)[0].layers for settings in (SETTINGS, linear))
    assert len(inner) == 1
    assert len(moved) > 1


def test_another_precision_than_asked_is_shown(package):
    engine, _ = build_plan(package, conv(), "fp16", SETTINGS)
    (offender,) = engine.proof.offenders
    assert (offender.name, offender.kind, offender.precision) == ("conv", "Conv", "fp32")


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (conv(dtype=np.float16, weight_dtype=np.float32), r"node conv \(Conv\): .*must be of same type"),
        (model_of([helper.make_node("Magic", ["x"], ["y"], "trick")], {}, [1, 3]), r"node trick \(Magic\): "),
        (b"", "refuses the model: "),
        (b"no model", "refuses the model: "),
        (conv()[:200], "refuses the model: "),
    ],
    ids=["mixed types", "unknown op", "nothing", "no model", "cut"],
)
def test_what_is_refused_is_one_line_that_names_the_node(package, model, complaint):
    with pytest.raises(ProfilerError, match=complaint) as e:
        build_plan(package, model, "fp32", SETTINGS)
    assert str(e.value).startswith("tensorrt-rtx refuses the model: ")
    assert "\n" not in str(e.value)


def test_unsigned_activations_are_refused_and_signed_ones_run_as_integers(package):
    def quantised(dtype):
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dequantise"),
            helper.make_node("DequantizeLinear", ["w", "s", "zw"], ["wd"], "weight"),
            helper.make_node("Conv", ["d", "wd"], ["y"], "conv"),
        ]
        weight = np.random.default_rng(0).integers(-127, 127, (16, 8, 1, 1), np.int8)
        zeros = {"z": np.zeros((), dtype), "zw": np.zeros((), np.int8)}
        return model_of(nodes, {"w": weight, "s": np.float32(0.1), **zeros}, [1, 8, 8, 8], outputs=[1, 16, 8, 8])

    engine, _ = build_plan(package, quantised(np.int8), "int8", SETTINGS)
    assert (engine.proof.products, engine.proof.offenders) == (1, ())
    with pytest.raises(ProfilerError, match=r"node quantise \(QuantizeLinear\) has unsigned activations"):
        build_plan(package, quantised(np.uint8), "int8", SETTINGS)


def test_a_free_batch_has_a_profile(package):
    settings = BuildSettings(capability="8.6", batches=(1, 4, 8))
    engine, _ = build_plan(package, conv(batch="n"), "fp32", settings)
    assert engine.proof.offenders == ()
    free = model_of([helper.make_node("Relu", ["x"], ["y"], "relu")], {}, ["n", 3, "h", 8], outputs=["n", 3, "h", 8])
    with pytest.raises(ProfilerError, match=r"^input x is dynamic in more than its batch"):
        build_plan(package, free, "fp32", settings)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (BuildSettings(capability="9.0"), r"cannot build for capability 9\.0, only for 7\.5, 8\.0, 8\.6, "),
        (BuildSettings(capability="8.6", hardware_compatibility="MARS"), "has no HardwareCompatibilityLevel.MARS"),
    ],
)
def test_settings_that_this_version_lacks(package, settings, complaint):
    with pytest.raises(ProfilerError, match=complaint):
        build_plan(package, conv(), "fp32", settings)


def test_progress_is_told_and_ctrl_c_ends_the_build(package):
    told = []
    build_plan(package, conv(), "fp32", SETTINGS, progress=lambda *said: told.append(said))
    assert told
    assert all(done <= total for done, total, _ in told)

    def interrupt(*said):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_plan(package, conv(), "fp32", SETTINGS, progress=interrupt)
    assert build_plan(package, conv(), "fp32", SETTINGS)[0].content  # and the package still builds
