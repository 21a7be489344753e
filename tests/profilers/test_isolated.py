import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from latency_tables import Op, OpCost, ProfilerError, summarise
from profilers import Protocol, RuntimeSetting, measure_plan, write_plan
from profilers.isolated import measure_model
from profilers.profile import measure_here
from profilers.runtimes import make_profiler

PROTOCOL = Protocol(group_us=500, maximum_runs=8, groups=1)


@pytest.fixture
def files(tmp_path, onnx_model):
    """A model, a reference, and a path whose file is no model."""
    model, reference, broken = (tmp_path / f"{name}.onnx" for name in ("model", "reference", "broken"))
    model.write_bytes(onnx_model(6, side=16))
    reference.write_bytes(onnx_model(1, side=16))
    broken.write_bytes(b"no model")
    return model, reference, broken


def measure(model, reference, runtime="onnxruntime", threads=1, **more):
    return measure_model(model, reference, RuntimeSetting(runtime, threads, **more), PROTOCOL, rounds=2)


def refusal(*args, **kwargs):
    with pytest.raises(ProfilerError) as e:
        measure(*args, **kwargs)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_measures_where_other_packages_have_our_names(tmp_path, files, monkeypatch):
    for name in ("profilers", "latency_tables", "numpy"):
        (tmp_path / "cwd" / name).mkdir(parents=True)
        (tmp_path / "cwd" / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    monkeypatch.chdir(tmp_path / "cwd")
    fresh = measure(*files[:2])
    assert [v.round for v in fresh.visits] == [0, 1]
    assert [v.error for v in fresh.visits] == [None, None]
    assert [len(v.samples_us) for v in fresh.visits] == [1, 1]
    assert summarise(fresh.visits).ratio > 1  # six times the reference's work
    assert fresh.target == make_profiler("onnxruntime", 1, 1).target()


def test_paths_may_be_relative(tmp_path, files, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = [path.relative_to(tmp_path) for path in files[:2]]
    assert len(measure(*relative).visits) == 2


def test_a_model_that_the_runtime_refuses_is_data(files):
    _, reference, broken = files
    for v in measure(broken, reference).visits:
        assert v.error.startswith("onnxruntime refuses the model: ")
        assert "\n" not in v.error
        assert v.samples_us == ()


def test_what_cannot_be_measured_at_all(tmp_path, files):
    model, reference, broken = files
    failed = "the measuring process failed: "
    assert refusal(model, broken).startswith(failed + "onnxruntime refuses the model: ")
    missing = tmp_path / "missing.onnx"
    assert refusal(missing, reference) == f"{failed}[Errno 2] No such file or directory: '{missing}'"
    assert refusal(model, reference, runtime="abacus").startswith(failed + "unknown runtime 'abacus'; there are onnx")
    assert "(Conv) in fp32, not in int8" in refusal(model, reference, precision="int8")
    assert refusal(model, reference, threads=0) == failed + "threads must be at least 1, got 0"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("os.kill(os.getpid(), 9)", "it was killed by signal 9; is the device out of memory? (its last line: a line "),
        ("{}['nothing']", "KeyError: 'nothing'"),
        ("os._exit(3)", "it ended with exit code 3 (its last line: a line "),
    ],
)
def test_the_last_words_of_a_process_that_dies(own_runtime, files, fault, said):
    file = Path(own_runtime.rpartition(":")[0])
    file.write_text("import os\n" + file.read_text().replace('print("another such line")', fault))
    assert refusal(*files[:2], runtime=own_runtime).startswith(f"the measuring process failed: {said}")


@pytest.mark.parametrize("request_", ["", "{}", "[", json.dumps({"runtime": "onnxruntime"})])
def test_a_request_that_is_none(request_):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "profilers.worker"], input=request_, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


ROUNDS = Protocol(group_us=300, maximum_runs=6, groups=1, minimum_rounds=2, maximum_rounds=2, disturbed_rounds=0)


@pytest.fixture
def plan(tmp_path, onnx_model):
    pytest.importorskip("onnxruntime")
    models = {1: onnx_model(1, side=16), 4: onnx_model(4, side=16), 0: b"no model"}
    entries = [(Op.of("net", (i,)).key, Op.of("net", (i,)), OpCost(0.1, 1, 1), m) for i, m in models.items()]
    return write_plan(tmp_path / "plan", "tiny", onnx_model(2, side=16), entries)


def test_rounds_in_processes_of_their_own_measure_the_same_work(tmp_path, plan):
    profiler, seen = make_profiler("onnxruntime", 1, 1), []
    visits = measure_plan(plan, profiler, tmp_path / "j", ROUNDS, lambda *done: seen.append(done))
    assert Counter((v.key, v.round) for v in visits if not v.error) == {
        (key, round_): 1 for key in ("net(1)", "net(4)") for round_ in (0, 1)
    }
    assert [v.key for v in visits if v.error] == ["net(0)"]
    assert seen[-1] == (5, 5, "measured")
    assert any("round 2: net(" in what for _, _, what in seen)
    # the journal is that of `measure_here`: nothing is left to do, here or there
    assert measure_here(plan, profiler, tmp_path / "j", ROUNDS) == visits
    assert measure_plan(plan, profiler, tmp_path / "j", ROUNDS) == visits


def test_stopped_rounds_are_gone_on_with(tmp_path, plan):
    def stop(done, total, what):
        if done == 2:
            raise KeyboardInterrupt

    profiler = make_profiler("onnxruntime", 1, 1)
    with pytest.raises(KeyboardInterrupt):
        measure_plan(plan, profiler, tmp_path / "j", ROUNDS, stop)
    # its process is gone, and the journal is free
    assert len(measure_plan(plan, profiler, tmp_path / "j", ROUNDS)) == 5


def test_a_runtime_of_ones_own_is_measured_in_this_process(tmp_path, make_plan, fake_profiler):
    profiler = fake_profiler()
    visits = measure_plan(make_plan(b"100 us"), profiler, tmp_path / "j", ROUNDS)
    assert len(visits) == 2
    assert len(profiler.opened) == 3


def test_what_stops_a_round_is_said_in_one_line(tmp_path, plan):
    (tmp_path / "plan" / plan.models[0].file).write_bytes(b"damaged")
    with pytest.raises(ProfilerError, match=r"the measuring process failed: the model .* is damaged") as e:
        measure_plan(plan, make_profiler("onnxruntime", 1, 1), tmp_path / "j", ROUNDS)
    assert "\n" not in str(e.value)
