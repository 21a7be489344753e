"""Keeps small convolutions away from a fault of torch that ends the process."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

_FEWEST_CHANNELS = 8


class SlicedPointwise(nn.Conv2d):
    """A strided 1x1 convolution that drops the pixels between strides first; the values are the same."""

    def forward(self, images: Tensor) -> Tensor:
        """As `nn.Conv2d`."""
        rows, columns = self.stride
        return functional.conv2d(images[:, :, ::rows, ::columns], self.weight, self.bias)


def guard_small_convolutions(module: nn.Module) -> nn.Module:
    """`module`, in place, its strided 1x1 convolutions of fewer than eight channels made `SlicedPointwise`.

    For channels-last images on a CPU torch writes past the end of their weights' gradient (2.13, oneDNN 3.12): the heap
    is damaged and the process dies later, anywhere.
    """
    for layer in module.modules():
        if type(layer) is nn.Conv2d and _is_small(layer):
            layer.__class__ = SlicedPointwise
    return module


def _is_small(layer: nn.Conv2d) -> bool:
    pointwise = set(layer.kernel_size) == {1} and layer.groups == 1 and layer.padding in ((0, 0), "valid", "same")
    return pointwise and layer.in_channels < _FEWEST_CHANNELS and max(layer.stride) > 1
