"""The torch modules of NSE spaces."""

from __future__ import annotations

from torch import nn

from hwnas.spaces.modules import Residual, build_block, conv_bn
from latency_tables import Op


class Branch(Residual):
    """A 1x1 convolution that widens, what is between, a 1x1 convolution back; ReLU between (Ci et al. 2021)."""

    def __init__(self, op: Op):
        super().__init__()
        inputs, outputs, stride = op.in_shape[0], op["out"], op["stride"]
        hidden, settings = inputs * op["expand"], dict(op.settings)
        parts = [
            conv_bn(inputs, hidden, groups=settings.get("groups1", 1)),
            *_between(op, hidden, settings.get("dilation", 1)),
            conv_bn(hidden, outputs, groups=settings.get("groups2", 1)),
        ]
        layers = list[nn.Module](parts[0])
        for part in parts[1:]:
            layers += [nn.ReLU(), *part]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs


def _between(op: Op, channels: int, dilation: int) -> list[list[nn.Module]]:
    kernel, stride = op["kernel"], op["stride"]
    match op.kind:
        case "irb":
            return [conv_bn(channels, channels, kernel, stride, channels, dilation)]
        case "conv":
            return [conv_bn(channels, channels, kernel, stride)]
        case "double":
            return [conv_bn(channels, channels, kernel), conv_bn(channels, channels, kernel, stride)]
        case "factorised":
            return [
                conv_bn(channels, channels, (1, kernel), (1, stride)),
                conv_bn(channels, channels, (kernel, 1), (stride, 1)),
            ]
    raise ValueError(f"no module for {op.key}")


def _smaller(stride: int) -> list[nn.Module]:
    """A mean of pixels before a 1x1 convolution, which alone would skip most of them (He et al. 2019, "ResNet-D").

    Nor can a runtime then move the stride up into the place before, which would make its time depend on this one.
    """
    return [nn.AvgPool2d(stride)] if stride > 1 else []


def build_op(op: Op) -> nn.Module:
    """Stem, projection, branch or head; raises ValueError for a foreign kind."""
    match op.kind:
        case "stem" | "head":
            return build_block(op)
        case "project":
            return nn.Sequential(*_smaller(op["stride"]), *conv_bn(op.in_shape[0], op["out"]))
    return Branch(op)
