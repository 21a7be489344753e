import sys
from pathlib import Path

import numpy as np
import pytest

from latency_tables import Op, OpCost, ProfilerError
from profilers import Protocol, measure_plan, random_inputs, table_from_plan, write_plan
from profilers.contract import check_profiler
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

onnxruntime = pytest.importorskip("onnxruntime")


def refusal(call, *args, **kwargs):
    with pytest.raises(ProfilerError) as e:
        call(*args, **kwargs)
    assert "\n" not in str(e.value)
    return str(e.value)


@pytest.mark.parametrize("threads", [1, 2])
def test_keeps_the_contract(onnx_model, threads):
    check_profiler(OnnxRuntimeProfiler(threads), onnx_model())


def test_target():
    target = OnnxRuntimeProfiler(2, batch=3).target()
    assert (target.runtime, target.runtime_version) == ("onnxruntime", onnxruntime.__version__)
    assert (target.precision, target.batch, target.threads) == ("fp32", 3, 2)


def test_options_that_cannot_be():
    assert refusal(OnnxRuntimeProfiler, 0) == "threads must be at least 1, got 0"
    assert "threads must be at least 1" in refusal(OnnxRuntimeProfiler, -3)
    assert refusal(OnnxRuntimeProfiler, provider="NoSuchExecutionProvider").startswith(
        "onnxruntime has no NoSuchExecutionProvider here; it has "
    )
    assert "CPUExecutionProvider" in refusal(OnnxRuntimeProfiler, provider="NoSuchExecutionProvider")


def test_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert refusal(OnnxRuntimeProfiler) == "onnxruntime is not installed: pip install 'hwnas[onnxruntime]'"


def test_garbage_is_refused_in_one_line(onnx_model):
    profiler, model = OnnxRuntimeProfiler(), onnx_model()
    for broken in (b"", b"garbage", model[:30], model[:-1]):
        assert refusal(profiler.open, broken).startswith("onnxruntime refuses the model: ")


def test_an_input_that_is_not_float(model_of_integers):
    assert refusal(OnnxRuntimeProfiler().open, model_of_integers) == (
        "input x is tensor(int64); only float and 8-bit inputs can be profiled"
    )


def test_precisions(onnx_model, int8_model):
    for precision, model in (("fp32", onnx_model()), ("int8", int8_model)):
        profiler = OnnxRuntimeProfiler(precision=precision)
        assert profiler.target().precision == precision
        check_profiler(profiler, model)
    assert refusal(OnnxRuntimeProfiler, precision="int4") == (
        "onnxruntime is measured in fp32 or fp16 or int8, not in 'int4'"
    )


def test_what_did_not_run_as_asked_is_refused(onnx_model, int8_model):
    fp32 = refusal(OnnxRuntimeProfiler(precision="int8").open, onnx_model())
    assert fp32.startswith("onnxruntime runs ")
    assert fp32.endswith("(Conv) in fp32, not in int8; make the models in int8, or profile them as fp32")
    assert "(QLinearConv) in int8, not in fp32; " in refusal(OnnxRuntimeProfiler().open, int8_model)


def test_half_floats_that_the_cpu_only_pretends_to_have(make_onnx):
    # Of two halves onnxruntime's CPU makes floats, multiplies those and makes a half of the product.
    half = np.full((4, 4), 0.1, np.float16)
    model = make_onnx([("MatMul", ["x", "w"], "y", {})], {"w": half}, [4, 4], [4, 4], "FLOAT16")
    said = [refusal_or_none(OnnxRuntimeProfiler(precision=precision), model) for precision in ("fp16", "fp32")]
    assert [words and words.partition(" (")[2] for words in said] in (
        ["MatMul) in fp32, not in fp16; make the models in fp16, or profile them as fp32", None],
        [
            None,
            "MatMul) in fp16, not in fp32; make the models in fp32, or profile them as fp16",
        ],  # processors that have
    )


def refusal_or_none(profiler, model):
    try:
        profiler.open(model).close()
    except ProfilerError as e:
        return str(e)
    return None


def test_a_model_without_products_has_any_precision(make_onnx):
    model = make_onnx([("Relu", ["x"], "y", {})], {}, [1, 4], [1, 4])
    for precision in ("fp32", "fp16", "int8"):
        OnnxRuntimeProfiler(precision=precision).open(model).close()


def test_inspecting_leaves_no_files(onnx_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    OnnxRuntimeProfiler().open(onnx_model()).close()
    assert list(tmp_path.iterdir()) == []


def test_nodes_that_fall_back_to_the_cpu_are_refused(onnx_model):
    # In every package of onnxruntime for Linux and Windows; runs no node that is not of its own domain.
    azure = "AzureExecutionProvider"
    if azure not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has no {azure}")
    assert "fallback to CPU EP has been explicitly disabled" in refusal(
        OnnxRuntimeProfiler(provider=azure).open, onnx_model()
    )
    assert OnnxRuntimeProfiler(provider=azure).target().runtime == "onnxruntime-azure"


@pytest.mark.parametrize(("provider", "package"), [("CUDA", "onnxruntime-gpu"), ("OpenVINO", "onnxruntime-openvino")])
def test_a_provider_of_another_package(provider, package):
    if f"{provider}ExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has {provider}")
    assert refusal(OnnxRuntimeProfiler, provider=f"{provider}ExecutionProvider").endswith(f"; pip install {package}")


def test_a_free_batch_axis_takes_the_profilers_batch(onnx_model):
    with OnnxRuntimeProfiler(batch=3).open(onnx_model(batch="n")) as session:
        assert [answer.shape for answer in session.infer(random_inputs(session.input_specs))] == [(3, 4, 8, 8)]


def test_a_model_that_fails_only_when_it_runs(model_that_fails_when_run):
    assert refusal(OnnxRuntimeProfiler().open, model_that_fails_when_run).startswith(
        "onnxruntime cannot run the model: "
    )


@pytest.mark.measures
def test_a_plan_from_models_to_table(tmp_path, onnx_model, model_that_fails_when_run):
    small, large, broken = Op.of("net", (1,)), Op.of("net", (12,)), Op.of("net", (0,))
    models = {small: onnx_model(1, side=16), large: onnx_model(12, side=16), broken: model_that_fails_when_run}
    entries = [(op.key, op, OpCost(0.1, 1, 1), model) for op, model in models.items()]
    plan = write_plan(tmp_path, "tiny", onnx_model(2, side=16), entries)
    protocol = Protocol(group_us=500, maximum_runs=8, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)
    profiler = OnnxRuntimeProfiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", protocol)
    table = table_from_plan(plan, profiler.target(), visits, protocol)
    assert table.coverage(models).hit == (small, large)
    assert table.coverage(models).failed == (broken,)
    assert table[large].median_us > table[small].median_us  # twelve times the work
    assert table.rows[2].error.startswith("onnxruntime cannot run the model: ")


@pytest.mark.parametrize(("threads", "spinning"), [(1, "0"), (2, "1")])
def test_the_line_of_its_own_benchmark_has_the_settings_of_a_session(threads, spinning):
    entries = f"session.intra_op.allow_spinning|{spinning} session.force_spinning_stop|{spinning}"
    assert OnnxRuntimeProfiler(threads).command_line(Path("my model.onnx")) == (
        f"onnxruntime_perf_test -e cpu -I -x {threads} -y 1 -C '{entries}' -m times -r 1000 -s 'my model.onnx'"
    )
