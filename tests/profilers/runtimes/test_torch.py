import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers.runtimes._runtime import random_inputs
from profilers.runtimes.onnx_reader import read_graph
from profilers.runtimes.torch import TorchProfiler
from profilers.runtimes.torch_module import KNOWN_OPS, module_from_graph

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

ANY = ["any", "size", "at", "all"]


def refusal(call, *args, **kwargs):
    with pytest.raises(ProfilerError) as e:
        call(*args, **kwargs)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_target():
    target = TorchProfiler(2, batch=3).target()
    assert (target.runtime, target.runtime_version) == ("torch", torch.__version__)
    assert (target.precision, target.batch, target.threads) == ("fp32", 3, 2)


def test_a_device_that_is_not_there():
    assert refusal(TorchProfiler, device="tpu") == "torch has no tpu device here"


def test_the_precision_is_that_of_the_weights(onnx_model, make_onnx):
    half = np.full((4, 4, 1, 1), 0.5, np.float16)
    model = make_onnx([("Conv", ["x", "w"], "y", {})], {"w": half}, [1, 4, 8, 8], [1, 4, 8, 8], "FLOAT16")
    with TorchProfiler(precision="fp16").open(model) as session:
        assert [answer.dtype for answer in session.outputs()] == [np.float16]
    assert "(Conv) in fp16, not in fp32; " in refusal(TorchProfiler().open, model)
    assert "(Conv) in fp32, not in fp16; " in refusal(TorchProfiler(precision="fp16").open, onnx_model())


def test_quantised_models_are_refused_by_the_name_of_their_op(int8_model):
    assert refusal(TorchProfiler, precision="int8") == "torch is measured in fp32 or fp16, not in 'int8'"
    assert refusal(TorchProfiler().open, int8_model).startswith("torch here knows no DequantizeLinear (")


def test_settings_of_the_process_are_lent(onnx_model):
    before = torch.get_num_threads()
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    try:
        profiler = TorchProfiler(before + 1)
        first, second = profiler.open(onnx_model()), profiler.open(onnx_model(2))
        first.close()
        assert torch.get_num_threads() == before + 1
        assert torch.backends.mkldnn.conv.fp32_precision == "ieee"
        second.close()
        assert torch.get_num_threads() == before
        assert torch.backends.mkldnn.conv.fp32_precision == "bf16"
    finally:
        torch.backends.mkldnn.conv.fp32_precision = "none"


def test_settings_are_given_back_when_a_model_cannot_run(make_onnx):
    # The weights do not fit the input.
    model = make_onnx([("Gemm", ["x", "w"], "y", {"transB": 1})], {"w": np.ones((5, 7), np.float32)}, [1, 3], [1, 5])
    before = torch.get_num_threads()
    assert refusal(TorchProfiler(before + 1).open, model).startswith("torch cannot run the model: ")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("op", "weights", "attributes", "complaint"),
    [
        ("Conv", {"w": (4, 4, 2, 2)}, {"pads": [1, 1, 0, 0]}, "uneven padding (1, 1, 0, 0)"),
        ("Conv", {"w": (4, 4, 3, 3)}, {"auto_pad": "SAME_UPPER"}, "automatic padding"),
        ("HardSigmoid", {}, {"alpha": 0.2}, "slope 0.2 and offset 0.5 are not 1/6 and 1/2"),
        ("Flatten", {}, {"axis": 2}, "flattening from axis 2"),
        ("Cast", {}, {"to": 6}, "a cast to anything but floats"),
    ],
)
def test_what_the_layers_cannot_do(make_onnx, op, weights, attributes, complaint):
    arrays = {name: np.ones(shape, np.float32) for name, shape in weights.items()}
    model = make_onnx([(op, ["x", *weights], "y", attributes)], arrays, [1, 4, 8, 8], ANY)
    assert refusal(TorchProfiler().open, model) == f"torch here cannot run y ({op}): {complaint}"


def test_weights_that_are_computed_are_not_known(make_onnx):
    model = make_onnx([("Relu", ["x"], "r", {}), ("Conv", ["x", "r"], "y", {})], {}, [4, 4, 3, 3], ANY)
    graph = read_graph(model, 1, "torch", KNOWN_OPS)
    assert refusal(module_from_graph, graph) == "torch here cannot run y (Conv): its input 'r' is unforeseen"


def test_constants_are_broadcast(make_onnx):
    nodes = [("Mul", ["x", "w"], "m", {}), ("Sub", ["c", "m"], "y", {})]
    weights = {"w": np.full((4, 1, 1), 3, np.float32), "c": np.float32(5).reshape(1)}
    with TorchProfiler().open(make_onnx(nodes, weights, [1, 4, 8, 8], [1, 4, 8, 8])) as session:
        (x,) = random_inputs({"x": ((1, 4, 8, 8), "float32")}).values()
        np.testing.assert_allclose(session.outputs()[0], 5 - 3 * x, rtol=1e-6)


def test_a_matrix_product_of_three_axes_is_not_taken_for_a_linear_layer(make_onnx):
    weights = {"w": np.ones((3, 5), np.float32)}
    model = make_onnx([("Gemm", ["x", "w"], "y", {"alpha": 2.0})], weights, [1, 3], [1, 5])
    assert refusal(TorchProfiler().open, model).endswith("only x W + b is known")


def test_batch_norm_sigmoid_and_an_untransposed_product(make_onnx):
    weights = {
        "scale": np.array([2.0, 4.0], np.float32),
        "bias": np.array([1.0, -1.0], np.float32),
        "mean": np.array([3.0, 0.0], np.float32),
        "variance": np.array([4.0, 16.0], np.float32),
        "w": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32),
    }
    nodes = [
        ("BatchNormalization", ["x", "scale", "bias", "mean", "variance"], "h", {"epsilon": 0.0}),
        ("GlobalAveragePool", ["h"], "p", {}),
        ("Flatten", ["p"], "f", {}),
        ("Gemm", ["f", "w"], "g", {}),
        ("Sigmoid", ["g"], "y", {}),
    ]
    model = make_onnx(nodes, weights, [1, 2, 1, 1], [1, 3])
    with TorchProfiler().open(model) as session:
        image, (answer,) = session._inputs[0].numpy().ravel(), session.outputs()
    # (x - 3) / 2 * 2 + 1 = x - 2 and x / 4 * 4 - 1 = x - 1
    product = np.array([image[0] - 2, image[1] - 1]) @ weights["w"]
    np.testing.assert_allclose(answer, [1 / (1 + np.exp(-product))], rtol=1e-5)


def test_a_module_is_compiled_once(onnx_model, monkeypatch):
    profiler, compiled = TorchProfiler(compiled=True), []
    assert profiler.target().runtime == "torch-compiled"
    monkeypatch.setattr(torch, "compile", lambda module, **options: compiled.append(module) or module)
    modules = []
    for model in map(onnx_model, (1, 1, 2)):
        with profiler.open(model) as session:
            modules.append(session._module)
    one, again, other = modules
    assert one is again
    assert one is not other
    assert compiled == [one, other]


def test_a_free_batch_axis_takes_the_profilers_batch(onnx_model):
    with TorchProfiler(batch=3).open(onnx_model(batch="n")) as session:
        assert [answer.shape for answer in session.outputs()] == [(3, 4, 8, 8)]
