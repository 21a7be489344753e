"""NAS-Bench-101's graphs as a search space: one cell, nine times in a network of three widths (Ying et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.genotypes import ArchError
from hwnas.spaces.nb101 import cell
from hwnas.spaces.space import SearchSpace, View
from latency_tables import Op
from latency_tables.additive import Slot
from latency_tables.arrays import Genotype, Population

if TYPE_CHECKING:
    from torch import nn

_STEM_WIDTH, _STACKS, _CELLS_PER_STACK = 128, 3, 3
_LETTERS = dict(zip(cell.OPS, ("c1", "c3", "mp"), strict=True))


@dataclass(frozen=True)
class _Cells:
    """`times` cells that are alike, at one side; `pooled`: the image is halved before them."""

    inputs: int
    outputs: int
    side: int
    times: int
    pooled: bool

    @property
    def pool(self) -> Op:
        """The halving before them."""
        return Op.of("downsample", (self.inputs, 2 * self.side, 2 * self.side))


class NasBench101(SearchSpace):
    """Text: rows of the upper triangle, then the ops: `nb101:110000.00100.0000.000.01.1/c3,c1,c1,mp,c1`.

    The benchmark itself has only graphs of at most nine edges; this space has all.
    """

    name, is_chain, cardinalities = "nb101", False, cell.CARDINALITIES

    def __init__(self, num_classes: int = 10, size: int = 32):
        self.num_classes, self.input_shape = num_classes, (3, size, size)

    @cached_property
    def _groups(self) -> tuple[_Cells, ...]:
        """The first cell of each stack, which changes the width, and the others."""
        found, before, side = [], _STEM_WIDTH, self.input_shape[1]
        for stack in range(_STACKS):
            outputs = _STEM_WIDTH * 2**stack
            found.append(_Cells(before, outputs, side, 1, pooled=stack > 0))
            found.append(_Cells(outputs, outputs, side, _CELLS_PER_STACK - 1, pooled=False))
            before, side = outputs, side // 2
        return tuple(found)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Stem; in each group of equal cells the projections and ops of its vertices at any width; pools; head."""
        slots = [Slot.fixed(Op.of("stem", self.input_shape, out=_STEM_WIDTH))]
        for cells in self._groups:
            if cells.pooled:
                slots.append(Slot.fixed(cells.pool))
            widths, side, times = _widths(cells.outputs), cells.side, cells.times
            shape = (cells.inputs, side, side)
            project = [(Op.of("project", shape, out=w),) * times for w in widths]
            ops = [(Op.of(name, (w, side, side)),) * times for name in cell.OPS for w in widths]
            slots += [Slot(None, ((), *project)), Slot(None, ((), *ops))] * (cell.VERTICES - 2)
            slots.append(Slot(None, ((), (Op.of("project", shape, out=cells.outputs),) * times)))
        last = self._groups[-1]
        return (*slots, Slot.fixed(Op.of("head", (last.outputs, last.side, last.side), classes=self.num_classes)))

    def slot_options(self, population: Population) -> Population:
        """[n, slots] of genotypes [n, 26]: which projections and ops there are, and how wide."""
        edges, ops = cell.adjacency(population), cell.vertex_ops(population)
        width_of = {outputs: _width_indices(edges, outputs) for outputs in {c.outputs for c in self._groups}}
        fixed = np.zeros(len(population), dtype=np.int64)
        columns = [fixed]
        for cells in self._groups:
            if cells.pooled:
                columns.append(fixed)
            width, count = width_of[cells.outputs], len(_widths(cells.outputs))
            for vertex in range(1, cell.OUTPUT):
                there = width[:, vertex] >= 0
                columns.append(np.where(there & edges[:, cell.INPUT, vertex], 1 + width[:, vertex], 0))
                columns.append(np.where(there, 1 + ops[:, vertex - 1] * count + width[:, vertex], 0))
            columns.append(edges[:, cell.INPUT, cell.OUTPUT].astype(np.int64))
        return np.stack([*columns, fixed], axis=1)

    @cached_property
    def size(self) -> int:
        """All genotypes: nobody has counted those that differ only in what is on no path."""
        return prod(self.cardinalities)

    def canonical(self, population: Population) -> Population:
        """Without what is on no path from input to output."""
        return cell.canonical(population)

    def build_op(self, op: Op) -> nn.Module:
        """The module of one op."""
        from hwnas.spaces.nb101 import modules

        return modules.build_op(op)

    def build(self, arch: Genotype) -> nn.Module:
        """The network; its cells are graphs, so it is no chain of its ops, though it costs what they cost together."""
        from torch import nn

        from hwnas.spaces.nb101 import modules

        edges, ops = cell.adjacency(arch[None])[0], cell.vertex_ops(arch[None])[0]
        layers: list[nn.Module] = [self.build_op(self.slots[0].options[0][0])]
        for cells in self._groups:
            if cells.pooled:
                layers.append(self.build_op(cells.pool))
            layers += [modules.Cell(edges, ops, cells.inputs, cells.outputs) for _ in range(cells.times)]
        return nn.Sequential(*layers, self.build_op(self.slots[-1].options[0][0]))

    def encode(self, population: Population) -> NDArray[np.float64]:
        """Edges, and one-hot ops of the vertices that are there, [n, 21 + 15]."""
        edges, ops = population[:, : len(cell.PAIRS)], cell.vertex_ops(population)
        there = cell.on_a_path(cell.adjacency(population))[:, 1 : cell.OUTPUT]
        one_hot = np.eye(len(cell.OPS))[ops] * there[:, :, None]
        return np.concatenate([edges.astype(np.float64), one_hot.reshape(len(population), -1)], axis=1)

    @property
    def views(self) -> tuple[View, ...]:
        """Edges and ops, and the paths in numbers."""
        return View("graph", self.encode), View("paths in numbers", cell.path_statistics, trend=True)

    def graphs(self, population: Population) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The cell itself: seven vertices, each an op, input, output or nothing."""
        edges = cell.adjacency(population)
        nodes = np.zeros((len(population), cell.VERTICES, len(cell.OPS) + 2))
        nodes[:, 1 : cell.OUTPUT, : len(cell.OPS)] = np.eye(len(cell.OPS))[cell.vertex_ops(population)]
        nodes *= cell.on_a_path(edges)[:, :, None]
        nodes[:, cell.INPUT, -2] = nodes[:, cell.OUTPUT, -1] = 1
        return edges.astype(np.float64), nodes

    def to_text(self, arch: Genotype) -> str:
        """Readable text of a genotype."""
        genes = self.check(arch)
        rows = [[str(genes[k]) for k, (i, _) in enumerate(cell.PAIRS) if i == v] for v in range(cell.OUTPUT)]
        ops = [_LETTERS[cell.OPS[g]] for g in cell.vertex_ops(genes[None])[0]]
        return f"{self.name}:{'.'.join(map(''.join, rows))}/{','.join(ops)}"

    def from_text(self, text: str) -> Genotype:
        """Inverse of `to_text`; raises `ArchError` that says what does not parse."""
        rows, slash, ops = self._text_body(text).strip().partition("/")
        wanted = [cell.OUTPUT - v for v in range(cell.OUTPUT)]
        names = ops.split(",")
        if [len(row) for row in rows.split(".")] != wanted or not set(rows) <= set("01."):
            raise ArchError(f"cannot parse {text!r:.80}: before '/' come rows of 6, 5, 4, 3, 2 and 1 digits 0 or 1")
        if not slash or len(names) != cell.VERTICES - 2 or not set(names) <= set(_LETTERS.values()):
            known = ", ".join(_LETTERS.values())
            raise ArchError(f"cannot parse {text!r:.80}: after '/' come {cell.VERTICES - 2} ops of {known}")
        genes = [int(c) for c in rows.replace(".", "")] + [list(_LETTERS.values()).index(n) for n in names]
        return self.check(np.array(genes))


def _widths(outputs: int) -> tuple[int, ...]:
    """The widths a vertex may have in a cell of so many output channels, ascending."""
    shares = range(1, cell.VERTICES - 1)
    return tuple(sorted({outputs // k + extra for k in shares for extra in range(2) if not extra or outputs % k}))


def _width_indices(edges: NDArray[np.bool_], outputs: int) -> NDArray[np.int64]:
    """Which of `_widths` each vertex of cells [n, 7, 7] has, [n, 7]; -1 for none of them."""
    rank = {width: i for i, width in enumerate(_widths(outputs))}
    return np.array([[rank.get(w, -1) for w in cell.channels(e, outputs)] for e in edges])
