import shutil
import sys

import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers import RuntimeSetting, random_inputs
from profilers.contract import check_profiler
from profilers.runtimes import RUNTIMES, make_profiler

OTHERS = ("openvino", "torch", "ncnn")


def profiler_or_skip(runtime, *settings):
    try:
        return make_profiler(runtime, *(settings or (1, 1)))
    except ProfilerError as e:
        pytest.skip(str(e))


def refusal(*settings):
    with pytest.raises(ProfilerError) as e:
        make_profiler(*settings)
    assert "\n" not in str(e.value)
    return str(e.value)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_keeps_the_contract_and_its_name(runtime, onnx_model):
    if "compiled" in runtime and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    profiler = profiler_or_skip(runtime)
    assert profiler.target().runtime == runtime
    check_profiler(profiler, onnx_model(2))


@pytest.mark.parametrize("runtime", OTHERS)
def test_two_threads(runtime, onnx_model):
    profiler = profiler_or_skip(runtime, 2, 1)
    assert profiler.target().threads == 2
    check_profiler(profiler, onnx_model(2, side=16))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_is_built_once(runtime, onnx_model, monkeypatch):
    profiler, seen = profiler_or_skip(runtime), []
    compile_ = profiler.compile
    monkeypatch.setattr(profiler, "compile", lambda model: seen.append(model) or compile_(model))
    small, large = onnx_model(1), onnx_model(2)
    for model in (small, large, small):
        profiler.open(model).close()
    assert seen == [small, large]
    engine = profiler.build(small)
    assert engine.layers
    assert engine.built_with["version"] == profiler.target().runtime_version


@pytest.fixture(scope="module")
def models():
    """A network of mbconv-32, also as it ships, and one op of each kind, stride and kernel, by their texts."""
    torch = pytest.importorskip("torch")
    from hwnas.lowering.image_input import with_image_input
    from hwnas.lowering.onnx_graph import onnx_from_module
    from hwnas.spaces import load_space
    from hwnas.spaces.modules import initialise

    space = load_space("mbconv-32", 10)
    kinds = {}
    for op in space.all_ops:
        settings = dict(op.settings)
        kind = [op.kind, *(settings.get(name) for name in ("kernel", "stride", "hswish", "se"))]
        kinds.setdefault(tuple(kind), op)
    assert {kind[0] for kind in kinds} == {"stem", "mbconv", "fused", "head"}
    arch = space.sample(np.random.default_rng(0), 1)[0]
    modules = {op.key: (space.build_op(op), op.in_shape) for op in kinds.values()}
    modules[space.to_text(arch)] = (space.build(arch), space.input_shape)
    made = {}
    for key, (module, shape) in modules.items():
        initialise(module, torch.Generator().manual_seed(1))
        made[key] = onnx_from_module(module, shape)
    mean, std = (0.45, 0.5, 0.4), (0.2, 0.25, 0.3)
    made["shipped"] = with_image_input(made[space.to_text(arch)], mean, std)
    pooling = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    made["divided by a node of its own"] = with_image_input(onnx_from_module(pooling, (3, 8, 8)), mean, std)
    return made


def answers(profiler, models):
    found = {}
    for key, model in models.items():
        with profiler.open(model) as session:
            (found[key],) = session.infer(random_inputs(session.input_specs))
    return found


@pytest.fixture(scope="module")
def expected(models):
    return answers(profiler_or_skip("onnxruntime"), models)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_traits_are_said_by_the_runtime(runtime):
    profiler = profiler_or_skip(runtime)
    kinds = {"onnxruntime-cuda": "gpu", "onnxruntime-tensorrt": "gpu", "openvino-gpu": "gpu", "openvino-npu": "npu"}
    kinds |= {"torch-cuda": "gpu", "torch-compiled-cuda": "gpu"}
    assert profiler.device_kind == kinds.get(runtime, "cpu")
    assert profiler.quick_to_start == (runtime in ("onnxruntime", "openvino", "ncnn"))
    assert profiler.spec == RuntimeSetting(runtime, 1, 1, "fp32")


@pytest.mark.parametrize("runtime", OTHERS)
def test_all_runtimes_answer_alike(runtime, models, expected):
    found = answers(profiler_or_skip(runtime), models)
    for key, answer in expected.items():
        same_shape = np.reshape(found[key], answer.shape)  # ncnn knows no batch axis
        np.testing.assert_allclose(same_shape, answer, rtol=1e-3, atol=1e-4 * np.abs(answer).max(), err_msg=key)


def test_a_compiled_module_answers_alike(models, expected):
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    key = next(iter(models))
    found = answers(profiler_or_skip("torch-compiled"), {key: models[key]})
    np.testing.assert_allclose(found[key], expected[key], rtol=1e-3, atol=1e-4)


def test_an_unknown_runtime():
    names = ", ".join(RUNTIMES)
    assert refusal("tvm", 1, 1) == f"unknown runtime 'tvm'; there are {names}, or your own: file.py:ClassName"
    assert refusal("onnxruntime-", 1, 1).startswith("unknown runtime 'onnxruntime-'; ")


@pytest.mark.parametrize(
    ("runtime", "module", "install"),
    [
        ("onnxruntime", "onnxruntime", "pip install 'hwnas[onnxruntime]'"),
        ("openvino", "openvino", "pip install 'hwnas[openvino]'"),
        ("openvino-gpu", "openvino", "pip install 'hwnas[openvino]'"),
        ("torch", "torch", "pip install 'hwnas[search]'"),
        ("torch-compiled-cuda", "torch", "pip install 'hwnas[search]'"),
        ("ncnn", "ncnn", "pip install 'hwnas[ncnn]'"),
    ],
)
def test_a_runtime_that_is_not_installed(runtime, module, install, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    assert refusal(runtime, 1, 1) == f"{module} is not installed: {install}"


@pytest.mark.parametrize("runtime", ["onnxruntime", *OTHERS])
def test_settings_that_cannot_be(runtime):
    profiler_or_skip(runtime)
    assert refusal(runtime, 0, 1) == "threads must be at least 1, got 0"
    assert refusal(runtime, 1, 0) == "batch must be at least 1, got 0"
    assert refusal(runtime, 1, 1, "int4").startswith(f"{runtime} is measured in fp32")


def test_settings_reach_the_runtime():
    target = profiler_or_skip("onnxruntime", 2, 4, "int8").target()
    assert (target.runtime, target.threads, target.batch, target.precision) == ("onnxruntime", 2, 4, "int8")
