"""The torch modules of NAS-Bench-201 (Dong & Yang 2020, section 2): edges, cells, reductions, the whole network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hwnas.spaces.modules import conv_bn
from hwnas.spaces.nb201.cell import EDGES, NODES, OPS
from latency_tables import Op

NONE = OPS.index("none")


def relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution, batch norm: the order of NAS-Bench-201."""
    return nn.Sequential(nn.ReLU(), *conv_bn(inputs, outputs, kernel, stride))


def edge(name: str, channels: int) -> nn.Module:
    """The module of an edge that is there: everything but `none`."""
    match name:
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return relu_conv_bn(channels, channels, 1)
        case "nor_conv_3x3":
            return relu_conv_bn(channels, channels, 3)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    raise ValueError(f"no module for an edge {name!r}")


class Cell(nn.Module):
    """Four nodes; a node is the sum of what its edges make of earlier nodes, zero where there are none."""

    def __init__(self, genes: Sequence[int], channels: int):
        super().__init__()
        self.incoming: dict[int, list[tuple[int, str]]] = {node: [] for node in range(1, NODES)}
        for (source, node), gene in zip(EDGES, genes, strict=True):
            if gene != NONE:
                name = f"edge{source}{node}"
                self.add_module(name, edge(OPS[gene], channels))
                self.incoming[node].append((source, name))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] to the same shape."""
        nodes: list[Tensor] = [x]
        for node in range(1, NODES):
            parts: list[Tensor] = [getattr(self, name)(nodes[source]) for source, name in self.incoming[node]]
            total = parts[0] if parts else x * 0.0
            for part in parts[1:]:
                total = total + part
            nodes.append(total)
        return nodes[-1]


class Reduction(nn.Module):
    """A residual block of stride 2 that doubles the channels."""

    def __init__(self, inputs: int):
        super().__init__()
        self.first = relu_conv_bn(inputs, 2 * inputs, 3, 2)
        self.second = relu_conv_bn(2 * inputs, 2 * inputs, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, 2 * inputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] to [n, 2c, h / 2, w / 2]."""
        shortcut: Tensor = self.shortcut(x)
        y: Tensor = shortcut + self.second(self.first(x))
        return y


def build_op(op: Op) -> nn.Module:
    """The module of one op of the space; raises ValueError for a foreign kind."""
    channels = op.in_shape[0]
    match op.kind:
        case "stem":
            return nn.Sequential(*conv_bn(channels, op["out"], 3))
        case "reduction":
            return Reduction(channels)
        case "head":
            pool = [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            return nn.Sequential(*pool, nn.Linear(channels, op["classes"]))
    return edge(op.kind, channels)
