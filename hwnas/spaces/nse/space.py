"""Spaces of NSE (Ci et al. 2021, "Evolving Search Space for Neural Architecture Search"): many branches per place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hwnas.spaces.genotypes import ArchError
from hwnas.spaces.nse.pool import Candidate
from hwnas.spaces.space import SearchSpace, View
from latency_tables import Op
from latency_tables.additive import Slot
from latency_tables.arrays import Floats, Genotype, Population

if TYPE_CHECKING:
    from torch import nn

_NONE = "-"
_BRANCHES = 2  # per place of a random network, on average


@dataclass(frozen=True)
class Preset:
    """Everything that makes one member of the family.

    `plan` has a letter per place: N keeps the width, E takes the next of `widths`, R takes it at half the size. The
    last `late` candidates of the pool are a second one, which an evolving space takes up after the first.
    """

    name: str
    resolution: int
    widths: tuple[int, ...]
    plan: str
    pool: tuple[Candidate, ...]
    head_width: int
    late: int = 0


class NSESpace(SearchSpace):
    """Every place takes any subset of the pool: a gene of two values for each branch that it may have.

    A place answers its skip and the mean of its branches. The skip is the identity or, where width or size change, a
    1x1 convolution of pixel means (the paper has none there, and at least one branch); so a place may be empty, and
    what networks cost is a sum over genes. Text: `nse-32:k3e3+f5e2/-/...`, places between slashes.
    """

    def __init__(self, preset: Preset, num_classes: int = 10):
        self.preset, self.num_classes, self.name = preset, num_classes, preset.name
        self.input_shape = (3, preset.resolution, preset.resolution)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """Not there, there."""
        return (2,) * (len(self.preset.plan) * len(self.preset.pool))

    @cached_property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """The branches of each place."""
        count = len(self.preset.pool)
        return tuple(tuple(range(i * count, (i + 1) * count)) for i in range(len(self.preset.plan)))

    @cached_property
    def gene_names(self) -> tuple[str, ...]:
        """`place1.k3e6` and so on; places count from 1."""
        return tuple(f"place{i}.{c.text}" for i in range(1, len(self.preset.plan) + 1) for c in self.preset.pool)

    @cached_property
    def late_genes(self) -> frozenset[int]:
        """Branches of the second pool."""
        first = len(self.preset.pool) - self.preset.late
        return frozenset(gene for genes in self.stages for gene in genes[first:])

    @property
    def gene_values(self) -> tuple[tuple[str, ...], ...]:
        """Whether a branch is there."""
        return (("no", "yes"),) * len(self.cardinalities)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Stem; skip and branches of every place; head."""
        slots = [Slot.fixed(Op.of("stem", self.input_shape, out=self.preset.widths[0], stride=2))]
        for genes, (channels, size, out, stride) in zip(self.stages, self._shapes, strict=True):
            same = channels == out and stride == 1
            skip = () if same else (Op.of("project", (channels, size, size), out=out, stride=stride),)
            slots.append(Slot.fixed(*skip))
            branches = (candidate.op(channels, size, out, stride) for candidate in self.preset.pool)
            slots += [Slot((gene,), ((), (op,))) for gene, op in zip(genes, branches, strict=True)]
        *_, (_, size, channels, stride) = self._shapes
        shape = (channels, -(-size // stride), -(-size // stride))
        head = Op.of("head", shape, width=self.preset.head_width, mix=0, classes=self.num_classes)
        return (*slots, Slot.fixed(head))

    @property
    def _shapes(self) -> Iterator[tuple[int, int, int, int]]:
        """Width and size before each place, width after it, stride."""
        size, widths = -(-self.preset.resolution // 2), iter(self.preset.widths)
        channels = next(widths)
        for step in self.preset.plan:
            out, stride = channels if step == "N" else next(widths), 2 if step == "R" else 1
            yield channels, size, out, stride
            channels, size = out, -(-size // stride)

    @cached_property
    def places(self) -> tuple[tuple[int, ...], ...]:
        """Stem, places with skip and branches, head."""
        wide = 1 + len(self.preset.pool)
        starts = range(1, 1 + wide * len(self.preset.plan), wide)
        return ((0,), *(tuple(range(start, start + wide)) for start in starts), (len(self.slots) - 1,))

    def build_op(self, op: Op) -> nn.Module:
        """Stem, projection, branch or head; raises ValueError for a foreign kind."""
        from hwnas.spaces.nse.modules import build_op

        return build_op(op)

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """Every branch equally likely, two per place on average: with half of a large pool no budget would be kept."""
        there = rng.random((n, len(self.cardinalities))) < _BRANCHES / len(self.preset.pool)
        drawn: Population = there.astype(np.int64)
        return drawn

    def encode(self, population: Population) -> Floats:
        """Branches that are there are 1, others 0."""
        return population.astype(np.float64)

    @property
    def views(self) -> tuple[View, ...]:
        """The branches, and how many there are at each place and of each candidate, as shares."""
        return View("branches", self.encode), View("branches in numbers", self._shares, trend=True)

    def _shares(self, population: Population) -> Floats:
        by_place = population.reshape(len(population), len(self.preset.plan), len(self.preset.pool)).astype(np.float64)
        return np.concatenate([by_place.mean(axis=2), by_place.mean(axis=1)], axis=1)

    def to_text(self, arch: Genotype) -> str:
        """Readable text, e.g. `nse-32:k3e3+f5e2/-/...`."""
        arch, words = self.check(arch), []
        for genes in self.stages:
            there = [self.preset.pool[i].text for i in np.flatnonzero(arch[list(genes)])]
            words.append("+".join(there) or _NONE)
        return f"{self.name}:{'/'.join(words)}"

    def from_text(self, text: str) -> Genotype:
        """Inverse of `to_text`; raises `ArchError` that names the place and branch it cannot read."""
        places, problem = self._text_body(text).replace(" ", "").split("/"), f"cannot parse {text!r:.120}:"
        if len(places) != len(self.stages):
            raise ArchError(f"{problem} {self.name} has {len(self.stages)} places between '/', got {len(places)}")
        arch = np.zeros(len(self.cardinalities), dtype=np.int64)
        known = [candidate.text for candidate in self.preset.pool]
        for number, (words, genes) in enumerate(zip(places, self.stages, strict=True), start=1):
            for word in [] if words == _NONE else words.split("+"):
                if word not in known:
                    some = ", ".join(known)
                    raise ArchError(f"{problem} a branch of place {number} is {word!r:.20}, not one of {some}")
                arch[genes[known.index(word)]] = 1
        return arch
