"""Inputs as they stand in the file, against onnx's own writer."""

import random

import pytest

from latency_tables import ProfilerError
from profilers.model_inputs import input_axes, require_static

onnx = pytest.importorskip("onnx")


def model(*inputs, weights=(), old=False):
    """A model with inputs (name, shape); `old`: as ir_version 3 wrote it, weights among the inputs."""
    float_ = onnx.TensorProto.FLOAT
    weights = [onnx.helper.make_tensor(name, float_, [2], [1.0, 2.0]) for name in weights]
    values = [onnx.helper.make_tensor_value_info(name, float_, shape) for name, shape in inputs]
    if old:
        values += [onnx.helper.make_tensor_value_info(w.name, float_, [2]) for w in weights]
    out = onnx.helper.make_tensor_value_info("y", float_, None)
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", [inputs[0][0]], ["y"])], "g", values, [out], weights)
    return onnx.helper.make_model(graph)


def test_axes_of_every_input():
    several = model(("image", [1, 3, 224, 300]), ("scale", []), ("mask", ["batch", 7, None]), ("any", None))
    assert input_axes(several.SerializeToString()) == {
        "image": (1, 3, 224, 300),
        "scale": (),
        "mask": ("batch", 7, "?"),
        "any": ("...",),
    }


@pytest.mark.parametrize("size", [0, -1])
def test_zero_and_minus_one_are_free_axes(size):
    assert input_axes(model(("x", [size, 3])).SerializeToString()) == {"x": ("?", 3)}


def test_weights_are_no_inputs():
    for old in (False, True):
        found = input_axes(model(("x", [1, 2]), weights=["w"], old=old).SerializeToString())
        assert found == {"x": (1, 2)}


def test_free_axes_are_refused_with_the_command_that_fixes_them(tmp_path, monkeypatch):
    tool = pytest.importorskip("onnxruntime.tools.make_dynamic_shape_fixed")
    path = tmp_path / "m.onnx"
    path.write_bytes(model(("x", ["n", 3, "h", 8])).SerializeToString())
    with pytest.raises(ProfilerError) as caught:
        require_static(path.read_bytes(), path)
    problem, _, command = str(caught.value).partition(": python -m onnxruntime.tools.make_dynamic_shape_fixed ")
    assert problem == (
        f"{path}: input x has free axes (n, h), on which the time depends; fix its shape, with numbers for N"
    )
    assert command == f"--input_name x --input_shape 1,3,N,8 {path} fixed.onnx"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tool", *command.replace("N", "224").split()])
    tool.make_dynamic_shape_fixed_helper()
    assert require_static((tmp_path / "fixed.onnx").read_bytes(), path) == {"x": (1, 3, 224, 8)}


def test_weights_in_other_files_are_refused():
    outside = model(("x", [1, 2]), weights=["w"])
    outside.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    with pytest.raises(ProfilerError, match=r"the model keeps weights in other files; make it one file: onnx.save"):
        input_axes(outside.SerializeToString())


@pytest.mark.parametrize("broken", [b"", b"not an ONNX model", b"\x00" * 40, b"\xff" * 40, b"PK\x03\x04 zipped"])
def test_what_is_no_model_is_refused(broken):
    with pytest.raises(ProfilerError, match="not a whole ONNX model: "):
        input_axes(broken)


def refusal(content):
    try:
        input_axes(content)
    except ProfilerError as e:
        return str(e)
    return None


def test_whatever_is_damaged_ends_in_one_line():
    whole, rng = model(("x", [1, 3, 8, 8]), weights=["w"]).SerializeToString(), random.Random(0)
    for i in range(2000):
        damaged = bytearray(whole if i % 2 else whole[: rng.randrange(len(whole))])
        for _ in range(rng.randrange(4)):
            if damaged:
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        assert "\n" not in (refusal(bytes(damaged)) or "")
