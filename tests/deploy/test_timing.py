"""`hwnas time`: real measurements of small models; nothing here depends on how fast the machine is."""

import json
import subprocess
import sys

import numpy as np
import pytest

from deploy.timing import Timing, time_model
from hwnas.cli.main import main
from latency_tables import Measurement, ProfilerError, Target

WITHOUT_TORCH = """
import sys
sys.modules.update(torch=None, onnx=None)
from hwnas.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_torch_and_onnx(model):
    command = [sys.executable, "-P", "-c", WITHOUT_TORCH, "time", str(model), "--budget-ms", "1e6", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    low, high = told["ci95_ms"]
    assert 0 < low <= told["ms"] <= high
    assert told["raw_p5_ms"] <= told["raw_median_ms"] <= told["raw_p95_ms"]
    assert told["reference_p95"] >= told["reference_median"] >= 1
    assert told["processes"] >= 5  # more where the machine was disturbed
    assert (told["inputs"], told["verified"]) == ({"input": [1, 3, 8, 8]}, True)
    assert told["command_line"].endswith(str(model))


def measured(rounds):
    """Visits of one group each, (runs, reference) in us."""
    return [
        Measurement("network", i, float(i), (runs,), (reference,) * 2) for i, (runs, reference) in enumerate(rounds)
    ]


def test_milliseconds_are_the_ratio_at_the_quietest_speed():
    """The fastest run is twice the reference in each process; the reference's quiet time is 100 us."""
    visits = measured([((200.0, 260.0), 100.0), ((200.0, 230.0), 100.0), ((240.0, 300.0), 120.0)])
    t = Timing.of(visits, Target("d", "r", "1", "fp32", 1, 1), {"x": (1, 3)}, None)
    assert t.ms == pytest.approx(0.2)
    assert t.ci95_ms[0] < 0.2 < t.ci95_ms[1]
    runs = [0.2, 0.26, 0.2, 0.23, 0.24, 0.3]
    assert (t.runs, t.processes) == (6, 3)
    assert t.raw_median_ms == pytest.approx(np.median(runs))
    assert (t.raw_p5_ms, t.raw_p95_ms) == pytest.approx(tuple(np.percentile(runs, (5, 95))))
    assert (t.reference_quiet_ms, t.reference_median, t.reference_p95) == pytest.approx((0.1, 1.0, 1.2))


def refused(capsys, *arguments):
    code = main(["time", *map(str, arguments)])
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    complaint = said.err.splitlines()[-1]
    assert complaint.startswith("hwnas: ")
    return complaint


def test_what_cannot_be_timed_is_one_line(capsys, model, tmp_path):
    whole, damaged = model.read_bytes(), tmp_path / "damaged.onnx"
    damaged.write_bytes(whole[:-40])
    assert "not a whole ONNX model" in refused(capsys, damaged)
    assert "No such file or directory" in refused(capsys, tmp_path / "no.onnx")
    assert "Is a directory" in refused(capsys, tmp_path)
    assert "--budget-ms must be more than 0" in refused(capsys, model, "--budget-ms", "nan")
    assert "unknown runtime 'abacus'" in refused(capsys, model, "--runtime", "abacus")
    assert "threads must be at least 1" in refused(capsys, model, "--threads", "0")
    assert "fp32, not in int8" in refused(capsys, model, "--precision", "int8")


def test_a_model_of_integers_is_refused_by_what_it_takes(capsys, tmp_path):
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.INT64, [1, 2]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    path = tmp_path / "integers.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    assert "only float and 8-bit inputs can be profiled" in refused(capsys, path)


def test_a_runtime_made_by_hand_is_refused(model):
    from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

    with pytest.raises(ProfilerError, match="make it by make_profiler"):
        time_model(model, OnnxRuntimeProfiler())
