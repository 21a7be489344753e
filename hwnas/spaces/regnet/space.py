"""RegNet's AnyNetX (Radosavovic et al. 2020): stages of residual bottlenecks with grouped convolutions.

Every stage chooses depth, width and group width; nothing ties the stages together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from hwnas.spaces.genotypes import ArchError
from hwnas.spaces.space import SearchSpace, View
from latency_tables import HwnasError, Op
from latency_tables.additive import Slot
from latency_tables.arrays import Genotype, Population

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class RegNetStage:
    """What one stage chooses from. Every group width divides every width."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    group_widths: tuple[int, ...]
    stride: int = 2

    @property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        """The values of its three genes."""
        return self.depths, self.widths, self.group_widths

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if min(self.depths) < 1 or any(w % g for w in self.widths for g in self.group_widths):
            raise ValueError("a stage needs depths of at least 1, and group widths that divide its widths")


@dataclass(frozen=True)
class RegNetPreset:
    """Everything that makes one member of the family."""

    name: str
    resolution: int
    stem_width: int
    stem_stride: int
    stages: tuple[RegNetStage, ...]


_GROUPS = (4, 8, 16)
REGNET_PRESETS = {
    "regnet-32": RegNetPreset(
        "regnet-32",
        32,
        16,
        2,
        (
            RegNetStage((1, 2, 3, 4), (16, 32, 48, 64), _GROUPS, stride=1),
            RegNetStage((1, 2, 3, 4), (32, 64, 96, 128), _GROUPS),
            RegNetStage((1, 2, 3, 4), (64, 96, 128, 192), _GROUPS),
        ),
    ),
    "regnet-224": RegNetPreset(
        "regnet-224",
        224,
        32,
        2,
        (
            RegNetStage((1, 2, 3), (32, 48, 64, 96), _GROUPS),
            RegNetStage((1, 2, 3, 4, 5), (64, 96, 128, 192), _GROUPS),
            RegNetStage((2, 4, 6, 8, 10, 12), (128, 192, 256, 320, 384), _GROUPS),
            RegNetStage((1, 2, 3, 4), (256, 384, 512, 640, 768), _GROUPS),
        ),
    ),
}


class RegNetSpace(SearchSpace):
    """Three genes a stage: depth, width, group width. Text: `regnet-32:d2w32g8/d3w64g8/d1w128g16`."""

    def __init__(self, preset: RegNetPreset, num_classes: int = 10):
        self.preset, self.num_classes, self.name = preset, num_classes, preset.name
        self.input_shape = (3, preset.resolution, preset.resolution)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """Depths, widths and group widths of every stage in turn."""
        return tuple(len(values) for stage in self.preset.stages for values in stage.choices)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Stem; one slot per stage, which follows the width before it and its own genes; a head by the last width."""
        preset, side = self.preset, self.preset.resolution // self.preset.stem_stride
        stem = Op.of("stem", self.input_shape, out=preset.stem_width, stride=preset.stem_stride)
        slots = [Slot.fixed(stem)]
        before: tuple[int, ...] = (preset.stem_width,)
        width_gene: tuple[int, ...] = ()
        for s, stage in enumerate(preset.stages):
            after = -(-side // stage.stride)
            choices = []
            for inputs, depth, width, group in product(before, *stage.choices):
                first = Op.of("bottleneck", (inputs, side, side), out=width, group_width=group, stride=stage.stride)
                later = Op.of("bottleneck", (width, after, after), out=width, group_width=group, stride=1)
                choices.append((first, *(later,) * (depth - 1)))
            slots.append(Slot((*width_gene, 3 * s, 3 * s + 1, 3 * s + 2), tuple(choices)))
            before, width_gene, side = stage.widths, (3 * s + 1,), after
        heads = tuple((Op.of("head", (w, side, side), classes=self.num_classes),) for w in before)
        return (*slots, Slot(width_gene, heads))

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """Depth, width and group width."""
        return tuple((3 * s, 3 * s + 1, 3 * s + 2) for s in range(len(self.preset.stages)))

    @property
    def gene_names(self) -> tuple[str, ...]:
        """`depth1, width1, group1, depth2, ...`: stages count from 1."""
        return tuple(f"{what}{s + 1}" for s in range(len(self.preset.stages)) for what in ("depth", "width", "group"))

    @property
    def gene_values(self) -> tuple[tuple[str, ...], ...]:
        """The numbers themselves."""
        return tuple(tuple(map(str, values)) for stage in self.preset.stages for values in stage.choices)

    def build_op(self, op: Op) -> nn.Module:
        """Stem, bottleneck or head; raises ValueError for a foreign kind."""
        from hwnas.spaces.regnet.modules import build_op

        return build_op(op)

    def encode(self, population: Population) -> np.ndarray:
        """Depth, log width and log group width of every stage, 0..1 from the least to the most."""
        columns: list[np.ndarray] = []
        for stage in self.preset.stages:
            for values in (np.array(stage.depths), np.log2(stage.widths), np.log2(stage.group_widths)):
                span = max(float(np.ptp(values)), 1e-9)
                columns.append(((values - values.min()) / span)[population[:, len(columns)]])
        return np.stack(columns, axis=1)

    @property
    def views(self) -> tuple[View, ...]:
        """`encode`, which is numbers already."""
        return (View("depths and widths", self.encode, trend=True),)

    def to_text(self, arch: Genotype) -> str:
        """Readable text of a genotype."""
        genes = self.check(arch)
        values = [known[gene] for known, gene in zip(self.gene_values, genes, strict=True)]
        words = [f"d{values[i]}w{values[i + 1]}g{values[i + 2]}" for i in range(0, len(values), 3)]
        return f"{self.name}:{'/'.join(words)}"

    def from_text(self, text: str) -> Genotype:
        """Inverse of `to_text`; raises `ArchError` that names the stage and the number it cannot read."""
        words, stages = self._text_body(text).strip().split("/"), self.preset.stages
        problem = f"cannot parse {text!r:.120}:"
        if len(words) != len(stages):
            raise ArchError(f"{problem} {self.name} has {len(stages)} stages between '/', got {len(words)}")
        genes = []
        for number, (word, stage) in enumerate(zip(words, stages, strict=True), start=1):
            found = re.fullmatch(r"d(\d+)w(\d+)g(\d+)", word.strip())
            if not found:
                raise ArchError(f"{problem} stage {number} is {word!r:.30}, not like d2w32g8")
            named = zip(("depth", "width", "group width"), found.groups(), stage.choices, strict=True)
            for what, value, choices in named:
                if value not in map(str, choices):
                    known = ", ".join(map(str, choices))
                    raise ArchError(f"{problem} stage {number} is {word!r:.30}; its {what} must be one of {known}")
                genes.append(choices.index(int(value)))
        return self.check(np.array(genes))


def regnet_space(name: str, num_classes: int = 10) -> RegNetSpace:
    """A preset by name; raises `HwnasError` when there is none."""
    if name not in REGNET_PRESETS:
        raise HwnasError(f"unknown RegNet space {name!r}; there are {', '.join(REGNET_PRESETS)}")
    return RegNetSpace(REGNET_PRESETS[name], num_classes)
