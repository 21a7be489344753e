"""The torch modules of RegNet's AnyNetX."""

from __future__ import annotations

from torch import Tensor, nn

from hwnas.spaces.modules import conv_bn
from latency_tables import Op


class BottleneckX(nn.Module):
    """1x1, grouped 3x3, 1x1, without a bottleneck ratio, and a shortcut (section 3.1; ratio 1: section 4.3)."""

    def __init__(self, op: Op):
        super().__init__()
        inputs, width, stride, groups = op.in_shape[0], op["out"], op["stride"], op["out"] // op["group_width"]
        self.layers = nn.Sequential(
            *conv_bn(inputs, width, 1),
            nn.ReLU(),
            *conv_bn(width, width, 3, stride, groups),
            nn.ReLU(),
            *conv_bn(width, width, 1),
        )
        same = stride == 1 and inputs == width
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(inputs, width, 1, stride))
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[n, in, h, w] to [n, out, h / stride, w / stride]."""
        y: Tensor = self.act(self.shortcut(x) + self.layers(x))
        return y


def build_op(op: Op) -> nn.Module:
    """Stem, bottleneck or head; raises ValueError for a foreign kind."""
    match op.kind:
        case "stem":
            return nn.Sequential(*conv_bn(op.in_shape[0], op["out"], 3, op["stride"]), nn.ReLU())
        case "bottleneck":
            return BottleneckX(op)
        case "head":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(op.in_shape[0], op["classes"]))
    raise ValueError(f"no module for {op.key}")
