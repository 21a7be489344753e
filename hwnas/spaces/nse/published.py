"""The latency table that NSE's authors published with their code, as a `LatencyTable` of `nse-gpu`.

It has 15 runs of each of 371 layers on one GPU in batches of 128, and a network is the sum of its layers. It lacks what
a device does besides: batch norm and ReLU (fused or not, nobody says), the name of the GPU and of the runtime, any
whole network, and the mean of pixels before the skip of this project's places that halve the size, which counts for
nothing here.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.spaces.cost import count_macs, count_params
from hwnas.spaces.nse.space import NSESpace
from latency_tables import HwnasError, LatencyTable, Measurement, Op, Provenance, TableError, Target
from latency_tables.arrays import Floats
from latency_tables.table import OpCost, row_from_visits

_RUNS = 15
_TARGET = Target("the GPU of NSE's authors", "unknown", "unknown", "fp32", batch=128, threads=1)


def published_table(path: Path, space: NSESpace) -> LatencyTable:
    """The table of `space`, a `nse-gpu` of 1000 classes, from the published CSV file (gzip), times of 128 images.

    An op of layers that were not published has a row with an error that names the first. Raises `TableError` for
    another file.
    """
    layers, rows = _read(path), []
    for op in space.all_ops:
        module = space.build_op(op).eval()
        cost = OpCost(4e-6 * count_params(module), count_macs(module, op.in_shape), count_params(module))
        keys = list(_layers(module, op))
        lacking = [key for key in keys if key not in layers]
        if lacking:
            visits = [Measurement(op.key, 0, 0.0, error=f"no layer {lacking[0]} was published")]
        else:
            us = np.sum([layers[key] for key in keys], axis=0)
            visits = [Measurement(op.key, i, 0.0, ((one,),), (1.0, 1.0)) for i, one in enumerate(us.tolist())]
        rows.append(row_from_visits(op, cost, visits, 1.0, "published"))
    provenance = Provenance(_TARGET, space.name, 1.0, "", {"runs": _RUNS}, "2021", 0.0)
    return LatencyTable(tuple(rows), provenance, b"")


def _read(path: Path) -> Mapping[str, Floats]:
    """Microseconds of each run of each layer, [15]."""
    try:
        with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
            _, *rows = csv.reader(file)
        found: dict[str, Floats] = {key: 1e3 * np.array(runs, dtype=np.float64) for key, *runs in rows}
        if any(len(runs) != _RUNS for runs in found.values()):
            raise ValueError("not 15 runs of every layer")
    except (OSError, EOFError, ValueError) as e:
        raise TableError(f"{path} is not the table that was published with NSE: {e}") from None
    return found


def _layers(module: nn.Module, op: Op) -> Iterator[str]:
    """The published names of what an op runs on one image; the sum of parallel branches is its last layer."""
    keys: list[str] = []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        keys.append(_key(layer, inputs[0]))

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.AdaptiveAvgPool2d | nn.Linear):
            layer.register_forward_hook(note)
    with torch.no_grad():
        answer = module(torch.zeros(1, *op.in_shape))
    yield from keys
    if op.kind not in ("stem", "project", "head"):
        _, channels, size, _ = answer.shape
        yield f"model_Add_{size}-{channels}-{channels}-0-0-0-0-0-4"


def _key(layer: nn.Module, x: Tensor) -> str:
    match layer:
        case nn.Conv2d():
            square = len(set(layer.kernel_size)) == 1
            size = tuple(x.shape[2:])
            where = str(size) if layer.kernel_size[1] == 1 and not square else str(size[0])
            shape = (layer.kernel_size, layer.stride, layer.padding)
            texts = [str(each[0]) if square else str(tuple(each)) for each in shape] + [str(layer.dilation[0])]
            return f"model_{where}-{layer.in_channels}-{layer.out_channels}-{'-'.join(texts)}-{layer.groups}-1"
        case nn.AdaptiveAvgPool2d():
            return f"model_{x.shape[2]}-{x.shape[1]}-{x.shape[1]}-{x.shape[2]}-1-0-1-1-3"
        case nn.Linear():
            return f"model_Linear_1-{layer.in_features}-{layer.out_features}-0-0-0-0-0-5"
    raise HwnasError(f"no name was published for {layer}")
