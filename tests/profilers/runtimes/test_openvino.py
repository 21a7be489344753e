import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latency_tables import ProfilerError
from profilers import random_inputs
from profilers.contract import check_profiler
from profilers.runtimes.openvino import OpenVinoProfiler

openvino = pytest.importorskip("openvino")


def refusal(call, *args, **kwargs):
    with pytest.raises(ProfilerError) as e:
        call(*args, **kwargs)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_target():
    target = OpenVinoProfiler(2, precision="int8").target()
    assert (target.runtime, target.precision, target.batch, target.threads) == ("openvino", "int8", 1, 2)
    assert openvino.__version__.startswith(f"{target.runtime_version}-")


def test_what_is_no_model_is_refused_with_more_than_a_source_line(onnx_model):
    for broken in (b"", b"garbage", onnx_model()[:50]):
        said = refusal(OpenVinoProfiler().open, broken)
        assert said.startswith("openvino refuses the model: ")
        assert "Exception from" not in said


def test_a_device_that_is_not_there():
    assert refusal(OpenVinoProfiler, device="ABACUS").startswith(
        "openvino has no ABACUS here (or lacks its driver); it has CPU"
    )


def test_precisions_are_read_back(onnx_model, int8_model):
    check_profiler(OpenVinoProfiler(precision="int8"), int8_model)
    assert " in fp32, not in int8; make the models in int8" in refusal(
        OpenVinoProfiler(precision="int8").open, onnx_model()
    )
    said = refusal(OpenVinoProfiler().open, int8_model)
    assert "(Convolution) in int8, not in fp32; " in said


def test_fp32_is_not_bf16_where_the_processor_would_rather(onnx_model):
    profiler = OpenVinoProfiler()
    if "BF16" not in profiler._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16")
    model = onnx_model(2, channels=32, side=16)
    profiler.open(model).close()
    profiler._config = lambda: {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1}
    profiler._engines.clear()
    assert " in bf16, not in fp32; " in refusal(profiler.open, model)


def test_more_threads_than_there_are(onnx_model):
    assert "threads here, not on 4096: ask for " in refusal(OpenVinoProfiler(4096).open, onnx_model())


def test_a_free_batch_axis_takes_the_profilers_batch(onnx_model):
    with OpenVinoProfiler(batch=3).open(onnx_model(batch="n")) as session:
        assert [answer.shape for answer in session.infer(random_inputs(session.input_specs))] == [(3, 4, 8, 8)]


def test_integers_in_integers_out(int8_model, onnx_model):
    from hwnas.lowering.precision import quantised

    piece = quantised(onnx_model(2), float_input=False, float_output=False)
    with OpenVinoProfiler(precision="int8").open(piece) as session:
        assert [answer.dtype for answer in session.infer(random_inputs(session.input_specs))] == [np.uint8]


def test_an_input_that_is_not_float(model_of_integers):
    assert refusal(OpenVinoProfiler().open, model_of_integers) == (
        "input x is int64; only float and 8-bit inputs can be profiled"
    )


def test_a_model_that_fails_when_it_runs(model_that_fails_when_run):
    # openvino infers shapes before it runs: what cannot be is refused at once.
    assert refusal(OpenVinoProfiler().open, model_that_fails_when_run).startswith("openvino refuses the model: ")


def test_benchmark_app_takes_the_line(monkeypatch):
    """benchmark_app refuses an option that it does not know, and threads without `-hint none`."""
    parameters = pytest.importorskip("openvino.tools.benchmark.parameters")
    line = OpenVinoProfiler(2).command_line(Path("my model.onnx"))
    monkeypatch.setattr("sys.argv", shlex.split(line))
    given = parameters.parse_args().parse_args()
    assert (given.path_to_model, given.target_device, given.api_type) == ("my model.onnx", "CPU", "sync")
    assert (given.perf_hint, given.number_streams, given.number_threads) == ("none", "1", 2)
    assert (given.infer_threads_pinning, given.infer_precision) == ("NO", "f32")


AFTER_SEVERAL = """
import gc, signal, subprocess, sys
from pathlib import Path

import numpy as np

from profilers.runtimes.openvino import OpenVinoProfiler

model = Path(sys.argv[1]).read_bytes()
for _ in range(3):
    first, second = OpenVinoProfiler(), OpenVinoProfiler()
    one, other = first.open(model), second.open(model)
    one.close()
    del first, one
    gc.collect()
    other.close()
    del second, other
    gc.collect()
lots = [np.ones(1000) for _ in range(1000)]  # memory that was given back is someone else's now
handled = []
signal.signal(signal.SIGCHLD, lambda *_: handled.append(1))
subprocess.run(["true"], check=True)
assert handled
"""


def test_signals_are_handled_after_several_profilers(onnx_model, tmp_path):
    """A handler's stack must not have gone with one of them."""
    (tmp_path / "model.onnx").write_bytes(onnx_model())
    command = [sys.executable, "-c", AFTER_SEVERAL, str(tmp_path / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
