import sys

import pytest

from latency_tables import Op, OpCost, ProfilerError
from profilers import Protocol, measure_plan, table_from_plan, write_plan
from profilers.contract import check_profiler
from profilers.onnxruntime import OnnxRuntimeProfiler, _first_line

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


@pytest.mark.parametrize(
    ("said", "line"), [("one\ntwo", "one"), ("\n one \n", "one"), ("", "ValueError"), (" \n ", "ValueError")]
)
def test_the_runtimes_words_are_cut_to_a_line(said, line):
    assert _first_line(ValueError(said)) == line


def test_an_input_that_is_not_float(model_of_integers):
    assert refusal(OnnxRuntimeProfiler().open, model_of_integers) == (
        "input x is tensor(int64); only float inputs can be profiled"
    )


def test_a_free_batch_axis_takes_the_profilers_batch(onnx_model):
    with OnnxRuntimeProfiler(batch=3).open(onnx_model(batch="n")) as session:
        session.run()
        assert session._binding.copy_outputs_to_cpu()[0].shape == (3, 4, 8, 8)


def test_a_model_that_fails_only_when_it_runs(model_that_fails_when_run):
    with OnnxRuntimeProfiler().open(model_that_fails_when_run) as session:
        assert refusal(session.run).startswith("onnxruntime cannot run the model: ")
        assert "cannot run" in refusal(session.time_us, 3)


def test_a_plan_from_models_to_table(tmp_path, onnx_model, model_that_fails_when_run):
    small, large, broken = Op.of("net", (1,)), Op.of("net", (12,)), Op.of("net", (0,))
    models = {small: onnx_model(1, side=16), large: onnx_model(12, side=16), broken: model_that_fails_when_run}
    entries = [(op.key, op, OpCost(0.1, 1, 1), model) for op, model in models.items()]
    plan = write_plan(tmp_path, "tiny", onnx_model(2, side=16), entries)
    protocol = Protocol(group_us=500, maximum_runs=8, minimum_rounds=2, maximum_rounds=2)
    profiler = OnnxRuntimeProfiler()
    visits = measure_plan(plan, profiler, tmp_path / "j.jsonl", protocol)
    table = table_from_plan(plan, profiler, visits, protocol)
    assert table.coverage(models).hit == (small, large)
    assert table.coverage(models).failed == (broken,)
    assert table[large].median_us > table[small].median_us  # twelve times the work
    assert table.rows[2].error.startswith("onnxruntime cannot run the model: ")
