"""From a search space to a folder of ONNX models that a device can measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from hwnas.lowering.image_input import with_image_input
from hwnas.lowering.onnx_graph import onnx_from_module, weight_mb
from hwnas.lowering.precision import in_precision
from hwnas.spaces.cost import count_macs, count_params
from hwnas.spaces.modules import initialise
from hwnas.spaces.space import SearchSpace
from latency_tables import Op, OpCost
from latency_tables.arrays import Genotype
from latency_tables.progress import Progress, silent
from profilers import Int8Form, Plan, write_plan

_REFERENCE_SHAPE = (16, 28, 28)
_MEAN, _STD = 0.5, 0.25  # of the images of networks that are only timed


def reference_network(precision: str = "fp32", form: Int8Form = "between-ops") -> bytes:
    """The fixed small network every latency is compared with, about a third of a millisecond on a CPU core in fp32."""
    channels = _REFERENCE_SHAPE[0]
    layers: list[nn.Module] = []
    for stride, outputs in ((1, 32), (2, 48), (1, 48)):
        layers += [nn.Conv2d(channels, outputs, 3, stride, 1), nn.ReLU()]
        channels = outputs
    network = nn.Sequential(*layers)
    return in_precision(model_to_time(network, _REFERENCE_SHAPE), precision, form=form)


def model_to_time(module: nn.Module, in_shape: tuple[int, ...]) -> bytes:
    """The fp32 model of an op or network that is only timed: its weights are random, the same every time."""
    initialise(module, torch.Generator().manual_seed(0))
    return onnx_from_module(module, in_shape)


def network_to_time(space: SearchSpace, arch: Genotype) -> bytes:
    """The fp32 model of a whole network that is only timed, in the form in which it ships: raw images in."""
    channels = space.input_shape[0]
    model = model_to_time(space.build(arch), space.input_shape)
    return with_image_input(model, [_MEAN] * channels, [_STD] * channels)


def plan_ops(
    space: SearchSpace,
    folder: Path,
    precision: str = "fp32",
    form: Int8Form = "between-ops",
    progress: Progress = silent,
) -> Plan:
    """Write one small ONNX model of every op that `space` can use into `folder`; costs are those of fp32.

    In int8 with integers between ops an op takes and gives them, as inside a network, but for the image and the logits.
    """
    firsts = {op for ops in space.slots[0].options for op in ops[:1]}
    lasts = {op for ops in space.slots[-1].options for op in ops[-1:]}

    def models() -> Iterator[tuple[str, Op | None, OpCost, bytes]]:
        for i, op in enumerate(space.all_ops):
            progress(i, len(space.all_ops), op.key)
            model, cost = _op_model(space, op)
            ends = {"float_input": op in firsts, "float_output": op in lasts}
            yield op.key, op, cost, in_precision(model, precision, form=form, **ends)
        progress(len(space.all_ops), len(space.all_ops), "op models written")

    return write_plan(folder, space.name, reference_network(precision, form), models())


def op_cost(space: SearchSpace, op: Op) -> OpCost:
    """What an op costs in fp32, wherever it runs."""
    return _op_model(space, op)[1]


def _op_model(space: SearchSpace, op: Op) -> tuple[bytes, OpCost]:
    module = space.build_op(op)
    model = model_to_time(module, op.in_shape)
    return model, OpCost(weight_mb(model), count_macs(module, op.in_shape), count_params(module))


def plan_networks(
    space: SearchSpace,
    archs: Sequence[Genotype],
    folder: Path,
    reference: bytes,
    precision: str = "fp32",
    form: Int8Form = "between-ops",
) -> Plan:
    """Write whole networks into `folder`, each keyed by its architecture text, in the form in which they ship.

    `reference` is the reference model's own bytes: the one of the table, so of its precision.
    """

    def models() -> Iterator[tuple[str, None, None, bytes]]:
        for arch in archs:
            yield space.to_text(arch), None, None, in_precision(network_to_time(space, arch), precision, form=form)

    return write_plan(folder, space.name, reference, models())
