"""Runtimes and extras: what is there, and what to install for the others."""

import pytest

from hwnas.doctor.software import (
    RuntimeState,
    extra_findings,
    extras_of,
    read_extras,
    runtime_findings,
    runtime_states,
)
from profilers.runtimes import RUNTIMES


def test_extras_from_requirements():
    requirements = [
        "numpy>=1.26",
        'onnxruntime>=1.20; extra == "onnxruntime"',
        'hwnas[onnxruntime]; extra == "search"',
        'torch>=2.8; extra == "search"',
        "ray[client]>=2.40 ; extra == 'ray'",
        'pytest>=8; extra == "dev"',
    ]
    assert extras_of(requirements) == {"onnxruntime": ["onnxruntime"], "search": ["torch"], "ray": ["ray"]}


def test_an_extra_that_is_incomplete_names_what_it_lacks():
    whole, part = extra_findings({"ncnn": ["ncnn", "onnx"], "search": ["torch", "onnx"]}, {"ncnn", "onnx"})
    assert (whole.level, whole.text, whole.fix) == ("ok", "ncnn, onnx", None)
    assert (part.level, part.text, part.fix) == ("note", "lacks torch", "pip install 'hwnas[search]'")


def test_a_missing_runtime_is_a_note_and_no_runtime_at_all_is_to_be_fixed():
    there = RuntimeState("ncnn", "CPU", "1.0", None)
    lacking = RuntimeState("openvino", "CPU", None, "openvino is not installed: pip install 'hwnas[openvino]'")
    ok, note = runtime_findings([there, lacking])
    assert (ok.level, ok.text) == ("ok", "1.0 on CPU")
    assert (note.level, note.fix) == ("note", lacking.problem)
    assert [f.level for f in runtime_findings([lacking])] == ["note", "fix"]


def test_every_runtime_has_a_state_here():
    pytest.importorskip("onnxruntime")
    states = {state.name: state for state in runtime_states()}
    assert list(states) == list(RUNTIMES)
    assert states["onnxruntime"].ready
    assert states["onnxruntime"].version
    assert {name: s.device_kind for name, s in states.items() if s.device_kind != "CPU"} == {
        "onnxruntime-cuda": "NVIDIA GPU",
        "onnxruntime-tensorrt": "NVIDIA GPU",
        "openvino-gpu": "Intel GPU",
        "openvino-npu": "Intel NPU",
        "torch-cuda": "NVIDIA GPU",
        "torch-compiled-cuda": "NVIDIA GPU",
        "tensorrt": "NVIDIA GPU",
        "tensorrt-rtx": "NVIDIA GPU",
    }
    assert all(state.problem for state in states.values() if not state.ready)


def test_the_extras_of_this_installation():
    extras, installed = read_extras()
    assert "torch" in extras["search"]
    assert "dev" not in extras
    assert "onnxruntime" in installed
