import pytest

from latency_tables import ProfilerError
from profilers import write_plan
from profilers.layer_profile import profile_layers
from profilers.runtimes import make_profiler


@pytest.fixture
def plan(tmp_path, onnx_model):
    models = [("one", None, None, onnx_model(1)), ("three", None, None, onnx_model(3))]
    return write_plan(tmp_path / "plan", "tiny", onnx_model(1), models)


def test_every_layer_of_every_model_has_a_time(plan):
    pytest.importorskip("onnxruntime")
    rounds = profile_layers(plan, make_profiler("onnxruntime", 1, 1), rounds=2, runs=4)
    assert [set(profiled.visits) for profiled in rounds] == [{"one", "three"}] * 2
    for profiled in rounds:
        for key, convolutions in (("one", 1), ("three", 3)):
            visit = profiled.visits[key]
            layers = visit.layers
            assert min(visit.reference_us) > 0
            assert all(layer.us >= 0 for layer in layers)
            assert sum(layer.us for layer in layers) > 0
            assert len(layers) >= convolutions


def test_in_this_process_where_no_other_can_make_the_runtime(plan, onnx_model):
    pytest.importorskip("onnxruntime")
    from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

    (profiled,) = profile_layers(plan, OnnxRuntimeProfiler(), rounds=1, runs=2)
    assert set(profiled.visits) == {"one", "three"}


def test_a_runtime_that_does_not_tell(make_plan, fake_profiler):
    with pytest.raises(ProfilerError, match="fake does not tell the times of layers; measure op by op"):
        profile_layers(make_plan(b"100 us"), fake_profiler())
