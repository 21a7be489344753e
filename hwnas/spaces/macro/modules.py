"""The torch modules of NAS-Bench-Macro."""

from __future__ import annotations

from torch import nn

from hwnas.spaces.modules import MBConv, conv_bn
from latency_tables import Op


def build_op(op: Op) -> nn.Module:
    """Stem, projection, inverted residual or head; raises ValueError for a foreign kind."""
    channels = op.in_shape[0]
    match op.kind:
        case "stem":
            return nn.Sequential(*conv_bn(channels, op["out"], 3), nn.ReLU())
        case "project":
            return nn.Sequential(*conv_bn(channels, op["out"], 1, op["stride"]))
        case "mbconv":
            return MBConv(op)
        case "head":
            pool = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(op["width"], op["classes"])]
            return nn.Sequential(*conv_bn(channels, op["width"], 1), *pool)
    raise ValueError(f"no module for {op.key}")
