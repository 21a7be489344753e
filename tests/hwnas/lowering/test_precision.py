import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.lowering.op_models import plan_networks, plan_ops, reference_network
from hwnas.lowering.precision import FORMS, PRECISIONS, PRODUCT_INPUTS, halved, in_precision, quantised
from hwnas.lowering.ranges import calibrate
from hwnas.spaces import load_space
from hwnas.spaces.modules import initialise
from latency_tables import HwnasError
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler


def graph_of(model):
    return onnx.load_model_from_string(model).graph


def arrays_of(model):
    return {w.name: numpy_helper.to_array(w) for w in graph_of(model).initializer}


def made_by(graph):
    return {output: node for node in graph.node for output in node.output}


def answers(model, inputs):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x})[0] for x in inputs])


def made(module, shape):
    initialise(module, torch.Generator().manual_seed(0))
    return onnx_from_module(module, shape)


@pytest.fixture(scope="module")
def models():
    """A network of mbconv-32 and an op of each kind, fp32, and inputs [8, 1, c, h, w] of each."""
    space, rng = load_space("mbconv-32", 10), np.random.default_rng(1)
    kinds = {(op.kind, dict(op.settings).get("se"), dict(op.settings).get("stride")): op for op in space.all_ops}
    made_models = {op.key: (made(space.build_op(op), op.in_shape), op.in_shape) for op in kinds.values()}
    arch = space.sample(rng, 1)[0]
    made_models[space.to_text(arch)] = made(space.build(arch), space.input_shape), space.input_shape
    return {
        key: (model, rng.standard_normal((8, 1, *shape)).astype(np.float32))
        for key, (model, shape) in made_models.items()
    }


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_answers_stay_close(models, form):
    for key, (model, inputs) in models.items():
        before, after = answers(model, inputs), answers(quantised(model, form=form), inputs)
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98, key
        assert np.abs(before - after).max() > 0, key  # it is not the same model


def test_every_product_is_in_integers_to_onnxruntime(models):
    profiler = OnnxRuntimeProfiler(precision="int8")
    for model, _ in models.values():
        profiler.open(quantised(model)).close()  # refuses a product in floating point
        profiler.open(quantised(model, float_input=False, float_output=False)).close()


def test_every_product_is_in_integers_to_openvino(models):
    pytest.importorskip("openvino")
    from profilers.runtimes.openvino import OpenVinoProfiler

    profiler = OpenVinoProfiler(precision="int8")
    for model, _ in models.values():
        profiler.open(quantised(model)).close()
        profiler.open(quantised(model, float_input=False, float_output=False)).close()


def test_products_whose_inputs_alone_are_integers(models):
    """What TensorRT takes: signed, around zero, biases as they are; openvino runs it as integers, too."""
    pytest.importorskip("openvino")
    from profilers.runtimes.openvino import OpenVinoProfiler

    profiler = OpenVinoProfiler(precision="int8")
    for key, (model, _) in models.items():
        form = quantised(model, form=PRODUCT_INPUTS)
        graph, arrays = graph_of(form), arrays_of(form)
        ends = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
        zeros = [arrays[node.input[2]] for node in ends if len(node.input) > 2]
        assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros), key
        biases = [node.input[2] for node in graph.node if node.op_type in ("Conv", "Gemm") and len(node.input) > 2]
        assert all(arrays[bias].dtype == np.float32 for bias in biases), key
        read = {name for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul") for name in node.input}
        assert all(node.output[0] in read for node in ends if node.op_type == "DequantizeLinear"), key
        profiler.open(form).close()


def test_tensorrt_builds_products_whose_inputs_alone_are_integers(models):
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'hwnas[tensorrt-rtx]'")
    from profilers.runtimes.tensorrt.build import BuildSettings, build_plan
    from profilers.runtimes.tensorrt.package import TENSORRT_RTX, find_tensorrt

    for model, _ in models.values():
        engine, _ = build_plan(
            find_tensorrt(TENSORRT_RTX), quantised(model, form=PRODUCT_INPUTS), "int8", BuildSettings("8.6")
        )
        assert engine.proof.share_pct == 100, engine.proof.offenders


def test_weights_have_a_scale_for_each_channel_and_are_off_by_half_a_step():
    model = made(nn.Conv2d(3, 5, 3), (3, 8, 8))
    (before,) = (w for w in arrays_of(model).values() if w.ndim == 4)
    graph, arrays = graph_of(quantised(model)), arrays_of(quantised(model))
    makers = made_by(graph)
    (conv,) = (node for node in graph.node if node.op_type == "Conv")
    values, scales, zeros = (arrays[name] for name in makers[conv.input[1]].input)
    assert (values.dtype, scales.shape) == (np.int8, (5,))
    assert not zeros.any()
    off = np.abs(before - values * scales[:, None, None, None])
    assert (off <= 0.501 * scales[:, None, None, None]).all()
    np.testing.assert_allclose(scales, np.abs(before).reshape(5, -1).max(1) / 127, rtol=1e-2)


def test_weights_of_seven_bits():
    model = made(nn.Conv2d(3, 5, 3), (3, 8, 8))
    largest = [
        max(
            np.abs(w).max() for w in arrays_of(quantised(model, seven_bit_weights=seven)).values() if w.dtype == np.int8
        )
        for seven in (False, True)
    ]
    assert largest == [127, 64]


def test_ranges_are_those_of_the_samples():
    model = made(nn.Conv2d(3, 5, 1), (3, 8, 8))
    samples = np.zeros((4, 3, 8, 8), np.float32)
    samples[1, 0, 0, 0], samples[3, 2, 7, 7] = -0.51, 2.04
    ranges = {name: seen.extremes() for name, seen in calibrate(model, samples).items()}
    graph, arrays = graph_of(quantised(model, ranges)), arrays_of(quantised(model, ranges))
    (first,) = (node for node in graph.node if "input" in node.input)
    scale, zero = (arrays[name] for name in first.input[1:])
    assert (first.op_type, zero.dtype) == ("QuantizeLinear", np.uint8)
    assert scale == pytest.approx(0.01)  # 2.55 / 255
    assert zero == 51


def test_the_same_model_every_time(models):
    model, _ = next(iter(models.values()))
    assert quantised(model) == quantised(model)


@pytest.mark.parametrize(
    "layers", [[nn.Conv2d(4, 4, 3, padding=1)], [nn.Hardswish(), nn.Conv2d(4, 4, 1), nn.Hardswish()]]
)
def test_a_piece_takes_and_gives_integers(layers):
    model = made(nn.Sequential(*layers), (4, 8, 8))
    piece = quantised(model, float_input=False, float_output=False)
    graph = graph_of(piece)
    types = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert types == [onnx.TensorProto.UINT8] * 2
    onnx.checker.check_model(onnx.load_model_from_string(piece), full_check=True)
    # Integers in, integers out, and between them what the whole quantised model computes.
    whole, arrays = quantised(model), arrays_of(piece)
    makers = made_by(graph)
    codes = np.random.default_rng(0).integers(0, 256, (1, 4, 8, 8), np.uint8)
    reader = next(node for node in graph.node if graph.input[0].name in node.input)
    floats = (codes - arrays[reader.input[2]].astype(np.float32)) * arrays[reader.input[1]]
    writer = makers[graph.output[0].name]
    found = answers(piece, [codes]).astype(np.float32) - arrays[writer.input[2]].astype(np.float32)
    step = arrays[writer.input[1]]
    assert np.abs(found * step - answers(whole, [floats])).max() <= 1.01 * step


def test_half_floats(models):
    for key, (model, inputs) in list(models.items())[-2:]:
        half = halved(model)
        assert {w.dtype for w in arrays_of(half).values()} == {np.dtype(np.float16)}
        before, after = answers(model, inputs), answers(half, inputs.astype(np.float16))
        assert after.dtype == np.float16
        np.testing.assert_allclose(after, before, atol=0.01 * np.abs(before).max(), err_msg=key)
        kept = answers(halved(model, float_output=True), inputs.astype(np.float16))
        assert kept.dtype == np.float32
        np.testing.assert_allclose(kept, before, atol=0.01 * np.abs(before).max(), err_msg=key)


def test_precisions_by_name(models):
    model, _ = next(iter(models.values()))
    assert {p: in_precision(model, p) for p in PRECISIONS} == {
        "fp32": model,
        "fp16": halved(model, float_output=True),
        "int8": quantised(model),
    }
    with pytest.raises(HwnasError, match=r"^unknown precision 'int4'; there are fp32, fp16, int8$"):
        in_precision(model, "int4")


def test_plans_in_int8(tiny_space, tmp_path):
    plan = plan_ops(tiny_space, tmp_path / "int8", precision="int8")
    fp32 = plan_ops(tiny_space, tmp_path / "fp32")
    assert plan.costs == fp32.costs
    assert plan.reference() == reference_network("int8") != reference_network()
    archs = tiny_space.sample(np.random.default_rng(0), 2)
    networks = plan_networks(tiny_space, archs, tmp_path / "networks", plan.reference(), precision="int8")
    profiler = OnnxRuntimeProfiler(precision="int8")
    for model in (plan.reference(), *(p.model(m) for p in (plan, networks) for m in p.models)):
        profiler.open(model).close()
    # Floats only at the ends of the network: its normalised image, made of 8-bit pixels by itself, and its logits.
    uint8, floats = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
    for m in plan.models:
        graph = graph_of(plan.model(m))
        types = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
        wanted = {"stem": [floats, uint8], "head": [uint8, floats]}.get(m.op.kind, [uint8, uint8])
        assert types == wanted, m.key
    for m in networks.models:
        graph = graph_of(networks.model(m))
        assert [v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)] == [uint8, floats]
