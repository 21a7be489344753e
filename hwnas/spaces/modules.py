"""The torch modules of the MBConv family: stem, MBConv, fused MBConv, head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latency_tables import Op


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, never more than 10 % down (the MobileNet family's rule)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 1,
    stride: int | tuple[int, int] = 1,
    groups: int = 1,
    dilation: int = 1,
) -> list[nn.Module]:
    """A convolution that keeps the size but for its stride, and its batch norm."""
    sizes = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = tuple((1 + (size - 1) * dilation) // 2 for size in sizes)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)  # type: ignore[arg-type]
    return [conv, nn.BatchNorm2d(outputs)]


def _activation(hswish: int) -> nn.Module:
    return nn.Hardswish() if hswish else nn.ReLU()


class SqueezeExcite(nn.Module):
    """Channel attention: pool, two 1x1 convolutions, hard sigmoid (Hu et al. 2018, as MobileNetV3 has it)."""

    def __init__(self, channels: int):
        super().__init__()
        squeezed = make_divisible(channels // 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.act = nn.ReLU()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Scale every channel of x, [n, c, h, w]."""
        scale: Tensor = self.gate(self.expand(self.act(self.reduce(self.pool(x)))))
        return x * scale


class Residual(nn.Module):
    """Layers that end in a batch norm, and the identity around them where it fits."""

    layers: nn.Sequential
    residual: bool

    def forward(self, x: Tensor) -> Tensor:
        """[n, in, h, w] to [n, out, h / stride, w / stride]."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class Parallel(nn.Module):
    """Branches side by side: a skip and the mean of the branches (NSE: Ci et al. 2021; there the skip is in the mean).

    The mean costs nothing when the network runs: its factor goes into the last batch norm of each branch.
    """

    def __init__(self, skip: Sequence[nn.Module], branches: Sequence[nn.Module]):
        super().__init__()
        self.skip = nn.Sequential(*skip)
        self.branches = nn.ModuleList()
        for branch in branches:
            if not isinstance(branch, Residual) or not isinstance(branch.layers[-1], nn.BatchNorm2d):
                raise TypeError("a branch must be a Residual whose layers end in a batch norm")
            with torch.no_grad():
                branch.layers[-1].weight.div_(len(branches))
                branch.layers[-1].bias.div_(len(branches))
            self.branches.append(branch.layers)

    def forward(self, x: Tensor) -> Tensor:
        """[n, in, h, w] to [n, out, h / stride, w / stride]."""
        y: Tensor = self.skip(x)
        for branch in self.branches:
            y = y + branch(x)
        return y


class MBConv(Residual):
    """Inverted residual: expand, depthwise, optional squeeze-excite, project. Fused: expand by the full convolution.

    Sandler et al. 2018 (MobileNetV2), Howard et al. 2019 (MobileNetV3), Tan & Le 2021 (fused).
    """

    def __init__(self, op: Op):
        super().__init__()
        inputs, outputs, stride, kernel = op.in_shape[0], op["out"], op["stride"], op["kernel"]
        hidden = make_divisible(inputs * op["expand"])
        layers: list[nn.Module] = []
        if op.kind == "fused":
            layers += [*conv_bn(inputs, hidden, kernel, stride), _activation(op["hswish"])]
        else:
            if op["expand"] > 1:
                layers += [*conv_bn(inputs, hidden), _activation(op["hswish"])]
            layers += [*conv_bn(hidden, hidden, kernel, stride, groups=hidden), _activation(op["hswish"])]
        if op["se"]:
            layers.append(SqueezeExcite(hidden))
        self.layers = nn.Sequential(*layers, *conv_bn(hidden, outputs))
        self.residual = stride == 1 and inputs == outputs


def _head(op: Op) -> nn.Module:
    """Widen, pool, optionally mix (once-for-all's 1280-wide layer), classify."""
    layers = [*conv_bn(op.in_shape[0], op["width"]), nn.Hardswish(), nn.AdaptiveAvgPool2d(1)]
    width = op["width"]
    if op["mix"]:
        layers += [nn.Conv2d(width, op["mix"], 1, bias=False), nn.Hardswish()]
        width = op["mix"]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.1), nn.Linear(width, op["classes"]))


def build_block(op: Op) -> nn.Module:
    """The module of an op of this family; raises ValueError for a foreign kind."""
    match op.kind:
        case "stem":
            return nn.Sequential(*conv_bn(op.in_shape[0], op["out"], 3, op["stride"]), nn.Hardswish())
        case "mbconv" | "fused":
            return MBConv(op)
        case "head":
            return _head(op)
    raise ValueError(f"no block for {op.key}")


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Reproducible He initialisation of every convolution and linear layer, in module order."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else 4 * layer.in_features
            with torch.no_grad():
                layer.weight.normal_(0, (2 / fan) ** 0.5, generator=generator)
                if layer.bias is not None:
                    layer.bias.zero_()
