"""The inputs of an ONNX model, read from the file itself: a board has no onnx package, and no runtime says it alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from latency_tables import ProfilerError

# Field numbers of onnx.proto.
_GRAPH = 7
_INITIALIZER, _INPUT = 5, 11
_TENSOR_NAME, _TENSOR_LOCATION, _EXTERNAL = 8, 14, 1
_NAME, _TYPE, _TENSOR, _SHAPE, _DIM, _DIM_VALUE, _DIM_PARAM = 1, 2, 1, 2, 1, 1, 2

Axes = tuple[int | str, ...]
"""Sizes of axes; a free one is the name that the model gives it, or `?`."""


def input_axes(model: bytes) -> dict[str, Axes]:
    """The axes of every input of a model, weights left out; an input of unknown rank has the axes `...`.

    Raises `ProfilerError` in one line for what is no ONNX model, or one whose weights lie in other files.
    """
    try:
        graphs = [graph for number, graph in _fields(memoryview(model)) if number == _GRAPH]
        if not graphs:
            raise ValueError("it holds no graph")
        weights, inputs = set[str](), dict[str, Axes]()
        for number, content in _fields(_message(graphs[-1])):
            if number == _INITIALIZER:
                tensor = dict(_fields(_message(content)))
                if tensor.get(_TENSOR_LOCATION) == _EXTERNAL:
                    one_file = "onnx.save(onnx.load(MODEL), 'one.onnx')"
                    raise ProfilerError(f"the model keeps weights in other files; make it one file: {one_file}")
                weights.add(_text(tensor.get(_TENSOR_NAME, b"")))
            elif number == _INPUT:
                value = dict(_fields(_message(content)))
                inputs[_text(value.get(_NAME, b""))] = _axes(value.get(_TYPE, b""))
    except ValueError as e:
        raise ProfilerError(f"not a whole ONNX model: {e}") from None
    return {name: axes for name, axes in inputs.items() if name not in weights}


def require_static(model: bytes, path: Path) -> dict[str, Axes]:
    """The axes of every input; raises `ProfilerError`, saying how to fix them, when one of them is free."""
    inputs = input_axes(model)
    for name, axes in inputs.items():
        if free := [axis for axis in axes if isinstance(axis, str)]:
            first, *others = axes
            sizes = [1 if isinstance(first, str) else first, *("N" if isinstance(a, str) else a for a in others)]
            raise ProfilerError(
                f"{path}: input {name} has free axes ({', '.join(free)}), on which the time depends; fix its shape, "
                f"with numbers for N: python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {name} "
                f"--input_shape {','.join(map(str, sizes))} {path} fixed.onnx"
            )
    return inputs


_Value = int | bytes | memoryview


def _fields(message: memoryview) -> Iterator[tuple[int, _Value]]:
    """Number and value of each field of a protobuf message: an integer, or the bytes of anything else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        value: _Value
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if kind == 2:
                size, at = _varint(message, at)
            if size is None or number == 0:
                raise ValueError(f"byte {at} begins no field")
            if at + size > len(message):
                raise ValueError("it ends too early")
            value, at = message[at : at + size], at + size
        yield number, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, the lowest first, and where it ends."""
    value = 0
    for shift, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, at + shift + 1
    raise ValueError("it ends too early")


def _message(value: _Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")
    return memoryview(value)


def _text(value: _Value) -> str:
    return bytes(_message(value)).decode()


def _axes(type_: _Value) -> Axes:
    tensor = dict(_fields(_message(type_))).get(_TENSOR, b"")
    shape = dict(_fields(_message(tensor))).get(_SHAPE)
    if shape is None:
        return ("...",)
    return tuple(_axis(dict(_fields(_message(dim)))) for number, dim in _fields(_message(shape)) if number == _DIM)


def _axis(dim: Mapping[int, _Value]) -> int | str:
    size = dim.get(_DIM_VALUE, 0)
    if isinstance(size, int) and 0 < size < 2**63:  # exporters write 0 or -1 for a free axis too
        return size
    return _text(dim.get(_DIM_PARAM, b"")) or "?"
