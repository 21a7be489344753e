"""NAS-Bench-Macro (Su et al. 2021): eight layers, each identity or one of two inverted residuals; 6,561 networks."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from hwnas.spaces.genotypes import ArchError
from hwnas.spaces.space import SearchSpace, View
from latency_tables import Op
from latency_tables.additive import Slot
from latency_tables.arrays import Genotype, Population

if TYPE_CHECKING:
    from torch import nn

_STAGES = (2, 3, 3)  # layers; the first of each halves the image and doubles the channels
_WIDTHS = (32, 1280)  # stem, head
_EXPAND_KERNEL = {1: (3, 3), 2: (6, 5)}


class NasBenchMacro(SearchSpace):
    """Eight genes of three values. Text: the benchmark's own, one digit per layer: `02012100`.

    `width_share` of all channels makes a narrow space, whose supernet is cheap to train and ranks these networks too.
    """

    name = "nasbench-macro"
    cardinalities = (1 + len(_EXPAND_KERNEL),) * sum(_STAGES)
    gene_names = tuple(f"layer{i + 1}" for i in range(sum(_STAGES)))
    stages = tuple(tuple(range(end - layers, end)) for layers, end in zip(_STAGES, accumulate(_STAGES), strict=True))

    def __init__(self, num_classes: int = 10, size: int = 32, width_share: float = 1.0):
        self.num_classes, self.input_shape = num_classes, (3, size, size)
        self._stem_width, self._head_width = (max(1, round(width_share * w)) for w in _WIDTHS)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Stem, layers, head. Where shapes change, identity is a strided 1x1 convolution; elsewhere it adds no op."""
        slots = [Slot.fixed(Op.of("stem", self.input_shape, out=self._stem_width))]
        channels, side = self._stem_width, self.input_shape[1]
        for layers in _STAGES:
            for layer in range(layers):
                stride = 2 if layer == 0 else 1
                shape, out = (channels, side, side), channels * stride
                skip = (Op.of("project", shape, out=out, stride=stride),) if layer == 0 else ()
                blocks = [
                    (Op.of("mbconv", shape, expand=e, kernel=k, out=out, stride=stride, hswish=0, se=0),)
                    for e, k in _EXPAND_KERNEL.values()
                ]
                slots.append(Slot((len(slots) - 1,), (skip, *blocks)))
                channels, side = out, -(-side // stride)
        head = Op.of("head", (channels, side, side), width=self._head_width, classes=self.num_classes)
        return (*slots, Slot.fixed(head))

    def functions(self, population: Population) -> Population:
        """Where identity adds no op it may as well stand last in its stage: 3,969 different networks."""
        layers = population.copy()
        for end, count in zip(np.cumsum(_STAGES), _STAGES, strict=True):
            same = layers[:, end - count + 1 : end]
            same[:] = np.take_along_axis(same, np.argsort(same == 0, axis=1, kind="stable"), axis=1)
        return layers

    def build_op(self, op: Op) -> nn.Module:
        """Stem, projection, inverted residual or head; raises ValueError for a foreign kind."""
        from hwnas.spaces.macro.modules import build_op

        return build_op(op)

    @property
    def views(self) -> tuple[View, ...]:
        """One-hot layers, and how many layers of each kind stand in each stage and in all, as fractions.

        Layers as in `functions`: networks that compute the same are one network to a predictor.
        """
        layers = View("layers", lambda population: self.encode(self.functions(population)))
        return layers, View("layers in numbers", _layer_shares, trend=True)

    def to_text(self, arch: Genotype) -> str:
        """One digit per layer."""
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
