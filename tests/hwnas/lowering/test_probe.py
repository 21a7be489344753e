import platform

import pytest

from hwnas.lowering.probe import require_precision
from latency_tables import ProfilerError
from profilers.runtimes import make_profiler


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("openvino", "int8"), ("torch", "fp16")],
)
def test_what_a_runtime_computes_in(runtime, precision):
    pytest.importorskip(runtime)
    require_precision(make_profiler(runtime, 1, 1, precision))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="onnxruntime has fp16 kernels on other processors")
def test_what_it_falls_back_from():
    with pytest.raises(ProfilerError, match=r"^onnxruntime runs .* in fp32, not in fp16; make the models in fp16, or"):
        require_precision(make_profiler("onnxruntime", 1, 1, "fp16"))
