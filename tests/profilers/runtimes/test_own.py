"""A user's own runtime, named by its file."""

from pathlib import Path

import pytest

from latency_tables import HwnasError
from profilers import Protocol, RuntimeSetting, measure_plan, read_plan
from profilers.contract import check_profiler
from profilers.runtimes import make_profiler

QUICK = Protocol(group_us=300, maximum_runs=6, groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)


def refusal(*settings):
    with pytest.raises(HwnasError) as e:
        make_profiler(*settings)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_keeps_the_contract(own_runtime, onnx_model):
    check_profiler(make_profiler(own_runtime, 2, 1), onnx_model(2))


def test_is_made_with_its_settings_and_remembers_how_it_was_named(own_runtime, monkeypatch):
    profiler = make_profiler(own_runtime, 2, 4, "fp16")
    target = profiler.target()
    assert (target.runtime, target.threads, target.batch, target.precision) == ("my runtime", 2, 4, "fp16")
    assert profiler.spec == RuntimeSetting(own_runtime, 2, 4, "fp16")
    folder = Path(own_runtime).parent
    monkeypatch.chdir(folder)
    assert make_profiler("own.py:Mine", 2, 4, "fp16").spec == profiler.spec  # another process may stand elsewhere


def test_what_is_refused(own_runtime, tmp_path):
    assert refusal("no.py:Mine", 1, 1).endswith("is not a Python file; write path/to/file.py:ClassName")
    assert refusal(f"{own_runtime}d", 1, 1).endswith("own.py has no Profiler called Mined")
    said = refusal(own_runtime, 9, 1)
    assert said.endswith("Mine(threads=9, batch=1, precision='fp32') fails: RuntimeError: too many threads")


@pytest.mark.parametrize("quick", [True, False])
def test_rounds_are_in_fresh_processes_where_it_starts_quickly(own_runtime, two_ops, tmp_path, quick, monkeypatch):
    profiler, opened = make_profiler(own_runtime, 1, 1), []
    monkeypatch.setattr(profiler, "open", lambda model, open_=profiler.open: opened.append(model) or open_(model))
    profiler.quick_to_start = quick
    visits = measure_plan(read_plan(two_ops), profiler, tmp_path / "journal.jsonl", QUICK)
    assert [v.error for v in visits] == [None] * 4
    assert bool(opened) != quick
