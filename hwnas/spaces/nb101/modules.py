"""The torch modules of NAS-Bench-101 (Ying et al. 2019, section 2 and its code): cells of projections and ops."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.spaces.modules import conv_bn
from hwnas.spaces.nb101.cell import INPUT, OPS, OUTPUT, channels
from latency_tables import Op


def conv_bn_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(*conv_bn(inputs, outputs, kernel), nn.ReLU())


def vertex_op(name: str, width: int) -> nn.Module:
    """The op of a vertex of `width` channels."""
    return nn.MaxPool2d(3, 1, 1) if name == "maxpool3x3" else conv_bn_relu(width, width, 1 if name == "conv1x1" else 3)


class Cell(nn.Module):
    """One cell: a canonical graph [7, 7] with ops [5]. Vertices add what they are fed, cut to their own channels.

    The cell's input is projected to each vertex that it feeds; the output joins what feeds it.
    """

    def __init__(self, edges: NDArray[np.bool_], ops: NDArray[np.int64], inputs: int, outputs: int):
        super().__init__()
        self.edges, self.widths = edges.tolist(), channels(edges, outputs)
        self.vertices = [v for v in range(1, OUTPUT) if self.widths[v]]
        self.project = nn.ModuleDict(
            {str(v): conv_bn_relu(inputs, self.widths[v], 1) for v in (*self.vertices, OUTPUT) if self.edges[INPUT][v]}
        )
        self.ops = nn.ModuleDict({str(v): vertex_op(OPS[ops[v - 1]], self.widths[v]) for v in self.vertices})

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h, w]."""
        made: dict[int, Tensor] = {}
        for vertex in self.vertices:
            parts = [made[u][:, : self.widths[vertex]] for u in made if self.edges[u][vertex]]
            if self.edges[INPUT][vertex]:
                parts.append(self.project[str(vertex)](x))
            made[vertex] = self.ops[str(vertex)](torch.stack(parts).sum(0) if len(parts) > 1 else parts[0])
        last = [made[u] for u in made if self.edges[u][OUTPUT]]
        joined = torch.cat(last, 1) if last else None
        if not self.edges[INPUT][OUTPUT]:
            assert joined is not None
            return joined
        shortcut: Tensor = self.project[str(OUTPUT)](x)
        return shortcut if joined is None else joined + shortcut


def build_op(op: Op) -> nn.Module:
    """The module of one op of the space; raises ValueError for a foreign kind."""
    inputs = op.in_shape[0]
    match op.kind:
        case "stem":
            return conv_bn_relu(inputs, op["out"], 3)
        case "project":
            return conv_bn_relu(inputs, op["out"], 1)
        case "downsample":
            return nn.MaxPool2d(2)
        case "head":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, op["classes"]))
    if op.kind in OPS:
        return vertex_op(op.kind, inputs)
    raise ValueError(f"no module for {op.key}")
