"""The layers of a TensorRT engine, from an inspector's JSON (10.x, 11.x) or from the text of a build log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from latency_tables import ProfilerError
from profilers.engines.layers import EngineLayer, EngineTensor

_START, _END = "Layers:", "\nI/O Tensors:"
_NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_TOKEN = re.compile(r"[{}\[\],]|[^{}\[\],]+")
# Version 11 says "Half", version 10 also "Row major linear FP16 format".
_PRECISIONS = {
    "float": "fp32",
    "fp32": "fp32",
    "half": "fp16",
    "fp16": "fp16",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "int8": "int8",
    "fp8": "fp8",
    "int4": "int4",
    "fp4": "fp4",
    "int32": "int32",
    "int64": "int64",
    "uint8": "uint8",
    "bool": "bool",
}


def layers_of_log(messages: Iterable[str]) -> tuple[EngineLayer, ...]:
    """The layers that a detailed build log lists. Raises `ProfilerError` when it lists none."""
    listing = next((message for message in messages if message.startswith(_START)), None)
    if listing is None:
        raise ProfilerError("the build log lists no layers: build with detailed profiling verbosity")
    lines = listing[len(_START) :].partition(_END)[0].strip().splitlines()
    return tuple(_layer(_parse_line(line)) for line in lines if line.strip())


def layers_of_json(text: str) -> tuple[EngineLayer, ...]:
    """The layers in an inspector's JSON. Raises `ProfilerError` when it is none, or has names alone."""
    try:
        layers = json.loads(text)["Layers"]
        if any(isinstance(layer, str) for layer in layers):
            raise ProfilerError("the engine tells the names of its layers alone: build with detailed verbosity")
        return tuple(map(_layer, layers))
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ProfilerError(f"this is not what TensorRT's inspector says of an engine: {e}") from None


def _layer(said: Mapping[str, Any]) -> EngineLayer:
    weights = [_tensor(constant) for constant in said.get("Constants") or ()]
    if isinstance(kernel := said.get("Weights"), Mapping) and kernel.get("Count"):  # version 10
        weights.append(EngineTensor((int(kernel["Count"]),), _precision(str(kernel.get("Type", "")))))
    return EngineLayer(
        name=str(said["Name"]),
        kind=str(said.get("LayerType", "")),
        inputs=tuple(map(_tensor, said.get("Inputs") or ())),
        weights=tuple(weights),
        outputs=tuple(map(_tensor, said.get("Outputs") or ())),
        onnx_nodes=tuple(dict.fromkeys(_NODE.findall(str(said.get("Metadata", ""))))),
        tactic=str(said.get("TacticName", "")),
    )


def _tensor(said: Mapping[str, Any]) -> EngineTensor:
    together = str(said.get("Format/Datatype", ""))  # version 10
    shape = tuple(int(size) for size in said.get("Dimensions") or ())
    return EngineTensor(shape, _precision(str(said.get("Datatype", together))), str(said.get("Format", together)))


def _precision(said: str) -> str:
    """hwnas's word for a type; what nobody knows is given back as it is, so that it is equal to nothing asked for."""
    words = re.findall(r"[a-z0-9]+", said.lower())
    return next((_PRECISIONS[word] for word in words if word in _PRECISIONS), said)


def _parse_line(line: str) -> dict[str, Any]:
    """`Name: a, Inputs: [ { Name: b, Dimensions: [1,3] }], Metadata: [ONNX Layer: c]`, as nested dicts and lists."""
    head, _, metadata = line.partition(", Metadata: ")
    tokens = [token for token in _TOKEN.findall(head) if token.strip()]
    said = _fields(tokens, 0)[0]
    return said | {"Metadata": metadata}


def _fields(tokens: list[str], at: int) -> tuple[dict[str, Any], int]:
    """`key: value` pairs until a closing brace or the end, and where they end."""
    fields: dict[str, Any] = {}
    while at < len(tokens) and tokens[at] != "}":
        if tokens[at] == ",":
            at += 1
            continue
        key, _, text = tokens[at].strip().partition(":")
        at += 1
        if not text.strip() and at < len(tokens) and tokens[at] == "[":
            fields[key], at = _items(tokens, at + 1)
        else:
            fields[key] = text.strip()
    return fields, at


def _items(tokens: list[str], at: int) -> tuple[list[Any], int]:
    """What stands between brackets, and where it ends."""
    items: list[Any] = []
    while tokens[at] != "]":
        if tokens[at] == "{":
            said, at = _fields(tokens, at + 1)
            items.append(said)
        elif tokens[at] != ",":
            items.append(tokens[at].strip())
        at += 1
    return items, at + 1
