"""NAS-Bench-201 as a search space: 15,625 cells, each fifteen times in a network of three widths (Dong & Yang 2020)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.nb201 import cell, paths
from hwnas.spaces.space import SearchSpace, View
from latency_tables import Op
from latency_tables.additive import Slot
from latency_tables.additive.joint import every_value
from latency_tables.additive.slots import Ops
from latency_tables.arrays import Genotype, Population

if TYPE_CHECKING:
    from torch import nn

_CELLS_PER_STAGE = 5
_WIDTHS = (16, 32, 64)


class NasBench201(SearchSpace):
    """Six genes, the ops on the edges of one cell. Its networks are written as in the benchmark: `|op~0|+|...`."""

    name, is_chain = "nb201", False
    cardinalities = (len(cell.OPS),) * len(cell.EDGES)
    gene_names = tuple(f"edge{start}-{end}" for start, end in cell.EDGES)
    gene_values = (cell.OPS,) * len(cell.EDGES)
    # Runtimes that compile the graph drop what the output does not depend on; some fold zeros as well.
    prunings = ("unused", "dead")

    def __init__(self, num_classes: int = 10, size: int = 32):
        self.num_classes, self.input_shape = num_classes, (3, size, size)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The stem; six edges per stage, each choice with its op in all five cells; reductions between; the head."""
        return self._slots(lambda edge, choices: Slot((edge,), choices))

    def _slots(self, on_edge: Callable[[int, tuple[Ops, ...]], Slot]) -> tuple[Slot, ...]:
        """With the slot that `on_edge` makes of an edge and the ops it may have."""
        side = self.input_shape[1]
        slots = [Slot.fixed(Op.of("stem", self.input_shape, out=_WIDTHS[0]))]
        for stage, width in enumerate(_WIDTHS):
            if stage:
                slots.append(Slot.fixed(Op.of("reduction", (width // 2, 2 * side, 2 * side))))
            ops = {name: (Op.of(name, (width, side, side)),) * _CELLS_PER_STAGE for name in cell.OPS}
            choices = tuple(() if name == "none" else ops[name] for name in cell.OPS)
            slots += [on_edge(edge, choices) for edge in range(len(cell.EDGES))]
            side //= 2
        last = (_WIDTHS[-1], 2 * side, 2 * side)
        return (*slots, Slot.fixed(Op.of("head", last, classes=self.num_classes)))

    def pruned_slots(self, pruning: str) -> tuple[Slot, ...]:
        """As `slots`, with `none` on edges that are unused, or not on a live path: all edges decide together."""
        every = tuple(range(len(cell.EDGES)))
        archs = every_value(self.cardinalities, every)
        used = np.where(cell.used_edges(archs), archs, cell.OPS.index("none"))
        left = used if pruning == "unused" else self.functions(archs)
        return self._slots(lambda edge, choices: Slot(every, tuple(choices[op] for op in left[:, edge])))

    def functions(self, population: Population) -> Population:
        """Cells without the ops that are on no live path."""
        left: Population = np.where(cell.live_edges(population), population, cell.OPS.index("none"))
        return left

    def computes(self, population: Population) -> NDArray[np.bool_]:
        """Cells with a live path."""
        live: NDArray[np.bool_] = np.any(cell.live_edges(population), axis=1)
        return live

    def build_op(self, op: Op) -> nn.Module:
        """The module of one op."""
        from hwnas.spaces.nb201 import modules

        return modules.build_op(op)

    def build(self, arch: Genotype) -> nn.Module:
        """The network; its cells are graphs, so it is no chain of its ops, though it costs what they cost together."""
        from torch import nn

        from hwnas.spaces.nb201 import modules

        first, last = (slot.options[0] for slot in (self.slots[0], self.slots[-1]))
        genes, layers = [int(g) for g in arch], [self.build_op(op) for op in first]
        for stage, width in enumerate(_WIDTHS):
            if stage:
                layers.append(modules.Reduction(width // 2))
            layers += [modules.Cell(genes, width) for _ in range(_CELLS_PER_STAGE)]
        return nn.Sequential(*layers, *map(self.build_op, last))

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
