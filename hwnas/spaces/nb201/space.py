"""NAS-Bench-201 as a search space: 15,625 cells, each fifteen times in a network of three widths (Dong & Yang 2020)."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hwnas.spaces.nb201 import cell, modules, paths
from hwnas.spaces.space import SearchSpace, Slots
from hwnas.spaces.view import View
from latency_tables import Op
from latency_tables.arrays import Genotype, Population

_CELLS_A_STAGE = 5
_WIDTHS = (16, 32, 64)


class NasBench201(SearchSpace):
    """Six genes, the ops on the edges of one cell. Its networks are written as in the benchmark: `|op~0|+|...`."""

    name, is_chain = "nb201", False
    cardinalities = (len(cell.OPS),) * len(cell.EDGES)

    def __init__(self, num_classes: int = 10, size: int = 32):
        self.num_classes, self.input_shape = num_classes, (3, size, size)

    @cached_property
    def slots(self) -> Slots:
        """The stem; six edges a stage, each choice with its op in all five cells; reductions between; the head."""
        side = self.input_shape[1]
        slots: list[tuple[tuple[Op, ...], ...]] = [((Op.of("stem", self.input_shape, out=_WIDTHS[0]),),)]
        for stage, width in enumerate(_WIDTHS):
            if stage:
                slots.append(((Op.of("reduction", (width // 2, 2 * side, 2 * side)),),))
            ops = {name: (Op.of(name, (width, side, side)),) * _CELLS_A_STAGE for name in cell.OPS}
            slots += [tuple(() if name == "none" else ops[name] for name in cell.OPS)] * len(cell.EDGES)
            side //= 2
        last = (_WIDTHS[-1], 2 * side, 2 * side)
        slots.append(((Op.of("head", last, classes=self.num_classes),),))
        return tuple(slots)

    @cached_property
    def _edge_of_slot(self) -> NDArray[np.int64]:
        """Which gene a slot follows, -1 for the fixed ones, [slots]."""
        return np.array([-1, *range(len(cell.EDGES))] * len(_WIDTHS) + [-1])

    def slot_choices(self, population: Population) -> Population:
        """[n, slots] of genotypes [n, 6]: the stages repeat the cell."""
        return np.where(self._edge_of_slot >= 0, population[:, self._edge_of_slot], 0)

    @property
    def slot_genes(self) -> tuple[tuple[int, ...], ...]:
        """The edge's gene."""
        return tuple((int(edge),) if edge >= 0 else () for edge in self._edge_of_slot)

    @property
    def prunings(self) -> tuple[str, ...]:
        """Runtimes that compile the graph drop what the output does not depend on; some fold zeros as well."""
        return ("unused", "dead")

    def pruned_choices(self, population: Population, pruning: str) -> Population:
        """As `slot_choices`, with `none` on edges that are unused, or not on a live path."""
        kept = cell.used_edges(population) if pruning == "unused" else cell.live_edges(population)
        return self.slot_choices(np.where(kept, population, cell.OPS.index("none")))

    def build_op(self, op: Op) -> nn.Module:
        """The module of one op."""
        return modules.build_op(op)

    def build(self, arch: Genotype) -> nn.Module:
        """The network; its cells are graphs, so it is no chain of its ops, though it costs what they cost together."""
        genes, layers = [int(g) for g in arch], [self.build_op(op) for op in self.slots[0][0]]
        for stage, width in enumerate(_WIDTHS):
            if stage:
                layers.append(modules.Reduction(width // 2))
            layers += [modules.Cell(genes, width) for _ in range(_CELLS_A_STAGE)]
        return nn.Sequential(*layers, *(self.build_op(op) for op in self.slots[-1][0]))

    @property
    def views(self) -> tuple[View, ...]:
        """Live ops and paths in a few numbers, ops on live edges, and how many paths compute what.

        Path counts tell much from many labels, but nearly every cell has counts of its own: whoever looks for the best
        cell would try them all in turn, so little is expected of them.
        """
        return (
            View("ops in numbers", cell.live_op_statistics, trend=True),
            View("paths in numbers", paths.path_statistics, trend=True),
            View("ops on edges", cell.live_op_counts),
            View("paths", paths.path_counts, share=0.05),
        )

    def encode(self, population: Population) -> NDArray[np.float64]:
        """One-hot edges and path counts, [n, 30 + 40]: the usual features of this space."""
        return np.concatenate([cell.op_counts(population), paths.path_counts(population)], axis=1)

    def graphs(self, population: Population) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The cell's edges as nodes: one feeds another where it ends at the other's beginning, and both are live."""
        follows = np.array([[end == start for start, _ in cell.EDGES] for _, end in cell.EDGES], dtype=np.float64)
        live = cell.live_edges(population).astype(np.float64)
        ops: NDArray[np.float64] = np.eye(len(cell.OPS))[population]
        return follows * live[:, :, None] * live[:, None], ops

    def to_text(self, arch: Genotype) -> str:
        """The benchmark's own text."""
        return cell.to_text(self.check(arch))

    def from_text(self, text: str) -> Genotype:
        """The genotype of the benchmark's own text; raises `ArchError` that says what does not parse."""
        return cell.from_text(text)
