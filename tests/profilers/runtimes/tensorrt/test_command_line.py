from pathlib import Path

from profilers.runtimes.tensorrt.runtime import trtexec_line


def test_version_11_does_by_itself_what_version_10_is_asked_for():
    asked = "--stronglyTyped --useCudaGraph --useSpinWait --noDataTransfers"
    model = Path("m.onnx")
    assert trtexec_line(model, "10.3.0", 3) == f"trtexec --onnx=m.onnx --builderOptimizationLevel=3 {asked}"
    assert trtexec_line(model, "11.1.0.1", 5) == "trtexec --onnx=m.onnx --builderOptimizationLevel=5"
