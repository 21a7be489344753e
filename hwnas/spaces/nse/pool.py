"""The pools of branches that a place of an NSE space may take any subset of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from latency_tables import Op

_LETTERS = {"irb": "k", "factorised": "f", "conv": "c", "double": "d"}


@dataclass(frozen=True)
class Candidate:
    """One branch. Text: k (inverted residual), f (factorised), c (convolution) or d (two convolutions), and settings.

    `k3e6d2` has kernel 3, expansion 6 and dilation 2; `k5e3g1-2` has two groups in its second 1x1 convolution.
    """

    kind: str
    kernel: int
    expand: int
    dilation: int = 1
    groups: tuple[int, int] = (1, 1)

    @property
    def text(self) -> str:
        """Its text inside an architecture's."""
        dilated = f"d{self.dilation}" if self.dilation > 1 else ""
        grouped = "g{}-{}".format(*self.groups) if self.groups != (1, 1) else ""
        return f"{_LETTERS[self.kind]}{self.kernel}e{self.expand}{dilated}{grouped}"

    def op(self, channels: int, size: int, out: int, stride: int) -> Op:
        """This branch as an op at one input shape, identity included where it fits."""
        settings = {"kernel": self.kernel, "expand": self.expand, "out": out, "stride": stride}
        unusual = {"dilation": self.dilation, "groups1": self.groups[0], "groups2": self.groups[1]}
        settings |= {name: value for name, value in unusual.items() if value != 1}
        return Op.of(self.kind, (channels, size, size), **settings)


def inverted_residuals(
    kernels: Iterable[int], groups: tuple[int, int] = (1, 1), dilations: Iterable[int] = (1,)
) -> Iterator[Candidate]:
    """Of every kernel with the expansions 1, 3 and 6; those of kernel 3 also dilated."""
    for kernel, expand in product(kernels, (1, 3, 6)):
        for dilation in dilations if kernel == 3 else (1,):
            yield Candidate("irb", kernel, expand, dilation, groups)


def factorised() -> Iterator[Candidate]:
    """A kernel of 5 or 7 as a row and a column, with the expansions 1, 2 and 4."""
    yield from (Candidate("factorised", kernel, expand) for kernel, expand in product((5, 7), (1, 2, 4)))


def convolutions() -> Iterator[Candidate]:
    """One or two full convolutions of kernel 3, with the expansions 1 and 2."""
    yield from (Candidate(kind, 3, expand) for kind, expand in product(("conv", "double"), (1, 2)))
