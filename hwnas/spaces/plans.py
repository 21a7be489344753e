"""From a search space to a folder of ONNX models that a device can measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from hwnas.spaces._base import Genotype, SearchSpace
from hwnas.spaces.blocks import initialise
from hwnas.spaces.cost import count_macs, count_params
from hwnas.spaces.onnx_graph import onnx_from_module, weight_mb
from latency_tables import Op, OpCost
from latency_tables.progress import Progress, silent
from profilers import Plan, write_plan

_REFERENCE_SHAPE = (16, 28, 28)


def reference_network() -> bytes:
    """The fixed small network every latency is compared with, about a third of a millisecond on a CPU core."""
    channels = _REFERENCE_SHAPE[0]
    layers: list[nn.Module] = []
    for stride, outputs in ((1, 32), (2, 48), (1, 48)):
        layers += [nn.Conv2d(channels, outputs, 3, stride, 1), nn.ReLU()]
        channels = outputs
    network = nn.Sequential(*layers)
    initialise(network, torch.Generator().manual_seed(0))
    return onnx_from_module(network, _REFERENCE_SHAPE)


def _measurable(module: nn.Module, in_shape: tuple[int, ...], batch: int) -> tuple[OpCost, bytes]:
    initialise(module, torch.Generator().manual_seed(0))
    model = onnx_from_module(module, in_shape, batch)
    return OpCost(weight_mb(model), count_macs(module, in_shape), count_params(module)), model


def plan_ops(space: SearchSpace, folder: Path, batch: int = 1, progress: Progress = silent) -> Plan:
    """Write one small ONNX model of every op that `space` can use into `folder`."""

    def models() -> Iterator[tuple[str, Op | None, OpCost, bytes]]:
        for i, op in enumerate(space.all_ops):
            progress(i, len(space.all_ops), op.key)
            yield op.key, op, *_measurable(space.build_op(op), op.in_shape, batch)
        progress(len(space.all_ops), len(space.all_ops), "op models written")

    return write_plan(folder, space.name, reference_network(), models())


def plan_networks(
    space: SearchSpace, archs: Sequence[Genotype], folder: Path, reference: bytes, batch: int = 1
) -> Plan:
    """Write whole networks into `folder`, each keyed by its architecture text."""

    def models() -> Iterator[tuple[str, Op | None, OpCost, bytes]]:
        for arch in archs:
            yield space.to_text(arch), None, *_measurable(space.build(arch), space.input_shape, batch)

    return write_plan(folder, space.name, reference, models())
