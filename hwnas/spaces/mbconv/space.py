"""The MobileNetV3 / once-for-all family: stages choose depth, blocks choose kind, expansion and kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.genotypes import ArchError
from hwnas.spaces.space import SearchSpace
from latency_tables import Op
from latency_tables.additive import Slot
from latency_tables.arrays import Genotype, Population

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Kind:
    """What sort of block: full or depthwise expansion, activation, attention."""

    code: str
    fused: bool
    hswish: bool
    se: bool


RELU = Kind("mb", fused=False, hswish=False, se=False)
RELU_SE = Kind("rs", fused=False, hswish=False, se=True)
HSWISH = Kind("hs", fused=False, hswish=True, se=False)
HSWISH_SE = Kind("se", fused=False, hswish=True, se=True)
FUSED = Kind("fu", fused=True, hswish=False, se=False)


@dataclass(frozen=True)
class Block:
    """One choice of a block slot. Text: kind, expansion, k, kernel, e.g. `se6k5`."""

    kind: Kind
    expand: int
    kernel: int

    @property
    def text(self) -> str:
        """Its text inside an architecture's."""
        return f"{self.kind.code}{self.expand}k{self.kernel}"

    def op(self, channels: int, size: int, out: int, stride: int) -> Op:
        """This block as an op at one input shape."""
        kind = "fused" if self.kind.fused else "mbconv"
        flags = {"hswish": int(self.kind.hswish), "se": int(self.kind.se)}
        shape = (channels, size, size)
        return Op.of(kind, shape, expand=self.expand, kernel=self.kernel, out=out, stride=stride, **flags)


@dataclass(frozen=True)
class Stage:
    """Blocks at one width; the first has the stride. `depths` are the numbers of blocks to choose from."""

    width: int
    stride: int
    depths: tuple[int, ...]
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        """Refuse a stage that could vanish: its first block changes width and stride."""
        if not self.depths or min(self.depths) < 1 or not self.blocks:
            raise ValueError("a stage needs depths of at least 1 and at least one block to choose")

    @property
    def places(self) -> range:
        """The positions of its blocks at the greatest depth."""
        return range(max(self.depths))

    @cached_property
    def kinds(self) -> list[list[int]]:
        """Which of its blocks are of one kind, from the smallest to the largest, by the kinds' codes."""
        codes = [block.kind.code for block in self.blocks]
        by_size = sorted(range(len(codes)), key=lambda i: (self.blocks[i].expand, self.blocks[i].kernel))
        return [[i for i in by_size if codes[i] == code] for code in sorted(set(codes))]


@dataclass(frozen=True)
class Preset:
    """Everything that makes one member of the family. `mix_width` 0: no mixing layer in the head."""

    name: str
    resolution: int
    stem_width: int
    stem_stride: int
    first_block: bool
    stages: tuple[Stage, ...]
    head_width: int
    mix_width: int = 0


class MBConvSpace(SearchSpace):
    """A genotype is, stage by stage, a depth gene and one gene for each block; blocks past the depth are idle (0).

    Text: `mbconv-32:mb3k5,se6k3/fu4k3/...`, stages between slashes, blocks between commas.
    """

    def __init__(self, preset: Preset, num_classes: int = 10):
        self.preset, self.num_classes = preset, num_classes
        self.name = preset.name
        self.input_shape = (3, preset.resolution, preset.resolution)

    @cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """Depth, then blocks, of every stage in turn."""
        return tuple(map(len, self.gene_values))

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Stem (and first block), every block (absent at some depths of its stage), head."""
        preset = self.preset
        channels, size = preset.stem_width, preset.resolution // preset.stem_stride
        first = [Op.of("stem", self.input_shape, out=channels, stride=preset.stem_stride)]
        if preset.first_block:
            first.append(Block(RELU, 1, 3).op(channels, size, channels, 1))
        slots = [Slot.fixed(*first)]
        for gene, stage in self._stages:
            for position in stage.places:
                stride = stage.stride if position == 0 else 1
                blocks = [(block.op(channels, size, stage.width, stride),) for block in stage.blocks]
                if position < min(stage.depths):
                    slots.append(Slot((gene + 1 + position,), tuple(blocks)))
                else:
                    nothing: list[tuple[Op, ...]] = [()] * len(blocks)
                    by_depth = chain.from_iterable(blocks if depth > position else nothing for depth in stage.depths)
                    slots.append(Slot((gene, gene + 1 + position), tuple(by_depth)))
                channels, size = stage.width, -(-size // stride)
        shape, width, mix = (channels, size, size), preset.head_width, preset.mix_width
        return (*slots, Slot.fixed(Op.of("head", shape, width=width, mix=mix, classes=self.num_classes)))

    @property
    def _stages(self) -> Iterator[tuple[int, Stage]]:
        """Every stage after the number of its depth gene, which those of its blocks follow."""
        gene = 0
        for stage in self.preset.stages:
            yield gene, stage
            gene += 1 + len(stage.places)

    @property
    def stages(self) -> tuple[tuple[int, ...], ...]:
        """A depth gene and those of its blocks."""
        return tuple(tuple(range(gene, gene + 1 + len(stage.places))) for gene, stage in self._stages)

    @property
    def gene_names(self) -> tuple[str, ...]:
        """`depth1, block1.1, block1.2, ... depth2, ...`: stages and blocks count from 1."""
        names = []
        for number, stage in enumerate(self.preset.stages, start=1):
            names += [f"depth{number}", *(f"block{number}.{position + 1}" for position in stage.places)]
        return tuple(names)

    @cached_property
    def gene_values(self) -> tuple[tuple[str, ...], ...]:
        """Numbers of blocks, and blocks by their texts."""
        values = []
        for stage in self.preset.stages:
            blocks = tuple(block.text for block in stage.blocks)
            values += [tuple(map(str, stage.depths)), *[blocks] * len(stage.places)]
        return tuple(values)

    def build_op(self, op: Op) -> nn.Module:
        """Stem, block or head."""
        from hwnas.spaces.modules import build_block

        return build_block(op)

    def weight_source(self, op: Op) -> Op:
        """Blocks of one kind share the weights of the widest with the largest kernel."""
        if op.kind not in {"mbconv", "fused"} or op["expand"] == 1:
            return op
        kind = (op.kind == "fused", bool(op["hswish"]), bool(op["se"]))
        blocks = chain.from_iterable(stage.blocks for stage in self.preset.stages)
        sizes = [(b.expand, b.kernel) for b in blocks if (b.kind.fused, b.kind.hswish, b.kind.se) == kind]
        expand, kernel = map(max, zip(*sizes, strict=True))
        return Op.of(op.kind, op.in_shape, **dict(op.settings) | {"expand": expand, "kernel": kernel})

    def sandwich(self, rng: np.random.Generator) -> Population:
        """Largest, smallest and one random network, each block's kind drawn first so that all kinds train alike."""
        genes = np.zeros((3, len(self.cardinalities)), dtype=np.int64)
        for gene, stage in self._stages:
            depths = np.array(stage.depths)
            for position in stage.places:
                genes[:, gene] = [depths.argmax(), depths.argmin(), rng.integers(len(depths))]
                for row in range(3):
                    kind = stage.kinds[rng.integers(len(stage.kinds))]
                    genes[row, gene + 1 + position] = (kind[-1], kind[0], kind[rng.integers(len(kind))])[row]
        return self.canonical(genes)

    def encode(self, population: Population) -> NDArray[np.float64]:
        """A block: present, one-hot kind, expansion and kernel scaled to 1; all 0 when absent."""
        columns = []
        for gene, stage in self._stages:
            of_kind = [[i in kind for kind in stage.kinds] for i in range(len(stage.blocks))]
            rows = zip(stage.blocks, of_kind, strict=True)
            table = np.array([[1.0, *kinds, b.expand / 6, b.kernel / 7] for b, kinds in rows])
            depth = np.array(stage.depths)[population[:, gene]]
            columns += [table[population[:, gene + 1 + p]] * (depth > p)[:, None] for p in stage.places]
        return np.concatenate(columns, axis=1)

    def to_text(self, arch: Genotype) -> str:
        """Readable text, e.g. `mbconv-32:mb3k5,se6k3/fu4k3/...`."""
        arch, words = self.check(arch), []
        for gene, stage in self._stages:
            chosen = arch[gene + 1 :][: stage.depths[arch[gene]]]
            words.append(",".join(stage.blocks[i].text for i in chosen))
        return f"{self.name}:{'/'.join(words)}"

    def from_text(self, text: str) -> Genotype:
        """Inverse of `to_text`; raises `ArchError` that names the stage and block it cannot read."""
        stages = [s.split(",") for s in re.sub(r"\s", "", self._text_body(text)).split("/")]
        problem = f"cannot parse {text!r:.120}:"
        if len(stages) != len(self.preset.stages):
            wanted = len(self.preset.stages)
            raise ArchError(f"{problem} {self.name} has {wanted} stages between '/', got {len(stages)}")
        arch = np.zeros(len(self.cardinalities), dtype=np.int64)
        for number, (blocks, (gene, stage)) in enumerate(zip(stages, self._stages, strict=True), start=1):
            if len(blocks) not in stage.depths:
                depths = " or ".join(map(str, stage.depths))
                raise ArchError(f"{problem} stage {number} of {self.name} has {depths} blocks, got {len(blocks)}")
            arch[gene], known = stage.depths.index(len(blocks)), [block.text for block in stage.blocks]
            for place, block in enumerate(blocks, start=1):
                if block not in known:
                    where = f"block {place} of stage {number}"
                    raise ArchError(f"{problem} {where} is {block!r:.20}, not one of {', '.join(known)}")
                arch[gene + place] = known.index(block)
        return arch
