"""What a runtime runs of a model: its kernels, what they read and write, and the nodes of the model they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latency_tables.arrays import Floats


@dataclass(frozen=True)
class EngineTensor:
    """What flows between layers, or a weight: its shape, precision (fp32, fp16, bf16, int8, ...) and memory format."""

    shape: tuple[int, ...]
    precision: str
    format: str = ""


@dataclass(frozen=True)
class EngineLayer:
    """One kernel of an engine and the nodes of the ONNX model whose work it does."""

    name: str
    kind: str
    inputs: tuple[EngineTensor, ...] = ()
    weights: tuple[EngineTensor, ...] = ()
    outputs: tuple[EngineTensor, ...] = ()
    onnx_nodes: tuple[str, ...] = ()
    tactic: str = ""

    @property
    def kernel(self) -> tuple[object, ...]:
        """What tells its kernel from others, wherever in a network it stands: kind, operands; no names."""
        return self.kind, self.inputs, self.weights, self.outputs


@dataclass(frozen=True)
class LayerTime:
    """The nodes of the ONNX model whose work a layer does, and its microseconds in the runtime's own profile."""

    onnx_nodes: tuple[str, ...]
    us: float


def layer_times(layers: Sequence[EngineLayer], us: Floats) -> tuple[LayerTime, ...]:
    """The times of layers, from those of several runs, [runs, layers]: the mean of the fastest quarter of runs.

    Profiles count in whole microseconds, so that a mean over runs says more than the fastest one.
    """
    total_us = us.sum(axis=1)
    mean_us = us[total_us <= np.quantile(total_us, 0.25)].mean(axis=0)
    return tuple(LayerTime(layer.onnx_nodes, float(t)) for layer, t in zip(layers, mean_us, strict=True))
