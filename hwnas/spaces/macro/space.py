"""NAS-Bench-Macro (Su et al. 2021): eight layers, each identity or one of two inverted residuals; 6,561 networks."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from torch import nn

from hwnas.spaces.modules import MBConv, conv_bn
from hwnas.spaces.space import ArchError, SearchSpace, Slots
from hwnas.spaces.view import View
from latency_tables import Op
from latency_tables.arrays import Genotype

_STAGES = (2, 3, 3)  # layers; the first of each halves the image and doubles the channels
_STEM_WIDTH, _HEAD_WIDTH = 32, 1280
_EXPAND_KERNEL = {1: (3, 3), 2: (6, 5)}


class NasBenchMacro(SearchSpace):
    """Eight genes of three values. Text: the benchmark's own, a digit a layer: `02012100`."""

    name = "nasbench-macro"
    cardinalities = (1 + len(_EXPAND_KERNEL),) * sum(_STAGES)

    def __init__(self, num_classes: int = 10, size: int = 32):
        self.num_classes, self.input_shape = num_classes, (3, size, size)

    @cached_property
    def slots(self) -> Slots:
        """Stem, layers, head. Where shapes change, identity is a strided 1x1 convolution; elsewhere it adds no op."""
        slots: list[tuple[tuple[Op, ...], ...]] = [((Op.of("stem", self.input_shape, out=_STEM_WIDTH),),)]
        channels, side = _STEM_WIDTH, self.input_shape[1]
        for layers in _STAGES:
            for layer in range(layers):
                stride = 2 if layer == 0 else 1
                shape, out = (channels, side, side), channels * stride
                skip = (Op.of("project", shape, out=out, stride=stride),) if layer == 0 else ()
                blocks = [
                    (Op.of("mbconv", shape, expand=e, kernel=k, out=out, stride=stride, hswish=0, se=0),)
                    for e, k in _EXPAND_KERNEL.values()
                ]
                slots.append((skip, *blocks))
                channels, side = out, -(-side // stride)
        head = Op.of("head", (channels, side, side), width=_HEAD_WIDTH, classes=self.num_classes)
        return (*slots, ((head,),))

    def slot_choices(self, population: np.ndarray) -> np.ndarray:
        """Stem and head have no choice."""
        return np.pad(population, ((0, 0), (1, 1)))

    @property
    def slot_genes(self) -> tuple[tuple[int, ...], ...]:
        """The layer's gene."""
        return ((), *((layer,) for layer in range(len(self.cardinalities))), ())

    def build_op(self, op: Op) -> nn.Module:
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

    @property
    def views(self) -> tuple[View, ...]:
        """One-hot layers, and how many layers of each kind stand in each stage and in all, as fractions."""
        return View("layers", self.encode), View("layers in numbers", _layer_shares, trend=True)

    def to_text(self, arch: Genotype) -> str:
        """A digit a layer."""
        return "".join(map(str, self.check(arch)))

    def from_text(self, text: str) -> Genotype:
        """Inverse of `to_text`; raises `ArchError` that says what does not parse."""
        digits, layers = text.strip(), len(self.cardinalities)
        if len(digits) != layers or not set(digits) <= set("012"):
            raise ArchError(f"cannot parse {text!r:.60}: a network of {self.name} is {layers} digits, each 0, 1 or 2")
        return np.array([int(d) for d in digits])


def _layer_shares(population: np.ndarray) -> np.ndarray:
    kinds = np.eye(1 + len(_EXPAND_KERNEL))[population]  # [n, layers, kinds]
    ends = np.cumsum(_STAGES)
    stages = [kinds[:, end - layers : end].mean(axis=1) for end, layers in zip(ends, _STAGES, strict=True)]
    return np.concatenate([*stages, kinds.mean(axis=1)], axis=1)
