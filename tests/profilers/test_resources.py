from dataclasses import replace

import pytest

from latency_tables import JournalError, LatencyTable, Op, OpCost, ProfilerError, Provenance, TableRow, Target
from profilers import write_plan
from profilers.resources import Resources, measure_resources, resources_here, with_resources
from profilers.runtimes import make_profiler

HERE = Target("cpu", "onnxruntime", "1", "fp32", 1, 1)


def here(threads=1):
    return make_profiler("onnxruntime", threads, 1)


@pytest.fixture
def plan(tmp_path, onnx_model):
    pytest.importorskip("onnxruntime")
    models = {"small": onnx_model(2, channels=4, side=8), "large": onnx_model(2, channels=64, side=256)}
    entries = [(Op.of(name, ()).key, Op.of(name, ()), OpCost(0, 1, 1), model) for name, model in models.items()]
    entries.append((Op.of("broken", ()).key, Op.of("broken", ()), OpCost(0, 1, 1), b"no model"))
    return write_plan(tmp_path / "plan", "tiny", onnx_model(), entries)


def test_memory_of_every_op_and_the_reason_where_there_is_none(plan, tmp_path):
    found = measure_resources(plan, here(), tmp_path / "r.jsonl", energy_s=0.01)
    small, large, broken = (found[m.key] for m in plan.models)
    assert broken.error is not None
    assert broken.peak_memory_mb is None
    assert "\n" not in broken.error
    assert small.error is None
    if large.peak_memory_mb is None:
        pytest.skip("this system does not show the peak of a process's memory")
    # 64 x 256 x 256 floats are 16.8 MB; input and answer at least must be there at once.
    assert small.peak_memory_mb < 30 < 33.5 < large.peak_memory_mb < 200
    assert large.energy_mj is None or large.energy_mj > 0


def test_it_goes_on_where_it_was_stopped(plan, tmp_path):
    def stop_after_one(done, total, what):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_resources(plan, here(), tmp_path / "r.jsonl", 0.01, stop_after_one)
    seen = []
    found = measure_resources(plan, here(), tmp_path / "r.jsonl", 0.01, lambda done, total, what: seen.append(done))
    assert seen == [1, 2, 3]
    assert len(found) == 3
    assert measure_resources(plan, here(), tmp_path / "r.jsonl", 0.01) == found
    with pytest.raises(JournalError):
        measure_resources(plan, here(threads=2), tmp_path / "r.jsonl", 0.01)


def test_a_runtime_that_is_not_there_is_an_error_of_the_row(plan, tmp_path):
    profiler = here()
    profiler.spec = replace(profiler.spec, runtime="never-heard-of")
    found = measure_resources(plan, profiler, tmp_path / "r.jsonl", 0.01)
    assert all("unknown runtime" in found[m.key].error for m in plan.models)


def test_a_profiler_that_no_other_process_can_make_is_refused(plan, tmp_path):
    profiler = here()
    profiler.spec = None
    with pytest.raises(ProfilerError, match="use make_profiler"):
        measure_resources(plan, profiler, tmp_path / "r.jsonl", 0.01)


def test_memory_of_the_host_says_nothing_of_a_gpu(onnx_model):
    pytest.importorskip("onnxruntime")
    profiler = here()
    profiler.device_kind = "gpu"
    found = resources_here(onnx_model(), profiler, 0.01)
    assert (found.peak_memory_mb, found.energy_mj, found.error) == (None, None, None)


def test_rows_get_what_was_found():
    ops = [Op.of(name, ()) for name in "abc"]
    where = Provenance(HERE, "tiny", 50.0, "ab" * 32, {}, "2026-01-02", 1.5)
    table = LatencyTable(tuple(TableRow(op, OpCost(0, 1, 1), 10.0) for op in ops), where, b"reference")
    made = with_resources(table, {ops[0].key: Resources(12.5, 3.0), ops[1].key: Resources(error="refused")})
    assert [(r.peak_memory_mb, r.energy_mj) for r in made.rows] == [(12.5, 3.0), (None, None), (None, None)]
    assert [r.median_us for r in made.rows] == [10.0] * 3
    assert made.digest != table.digest


def test_where_memory_cannot_be_read_the_model_is_run_all_the_same(onnx_model, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("profilers.device.memory._forget_peak", lambda: None)
    assert resources_here(onnx_model(), here(), 0.01).error is None
