"""The best rest of a network whose first genes are decided, exactly, where its cost is a sum over few genes."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces import Population
from latency_tables.additive import Factors, NotSeparable
from latency_tables.additive.gather import Genes, of_joint
from latency_tables.additive.joint import shape_of

_STATES = 1_000_000  # joint values that one step may look at


class CheapestRest:
    """Called with genotypes [n, genes] it replaces all genes from `decided` on by those of the lowest cost.

    Genes are eliminated from the last to the first (Bertele & Brioschi 1972, "Nonserial dynamic programming"). Raises
    `NotSeparable` where too many genes depend on each other.
    """

    def __init__(self, cost: Factors, decided: int):
        self._cardinalities, tables = cost.cardinalities, dict(cost.tables)
        self._steps = list[tuple[int, Genes, NDArray[np.int64]]]()
        for gene in reversed(range(decided, len(self._cardinalities))):
            mine = {genes: tables.pop(genes) for genes in [*tables] if gene in genes}
            others = tuple(sorted({g for genes in mine for g in genes} - {gene}))
            shape = shape_of(self._cardinalities, others)
            if prod(shape) * self._cardinalities[gene] > _STATES:
                raise NotSeparable(f"gene {gene} depends on {len(others)} others: too many for a table")
            joint = of_joint(self._cardinalities, mine, (*others, gene)).reshape(-1, self._cardinalities[gene])
            self._steps.append((gene, others, joint.argmin(axis=1)))
            tables[others] = tables.get(others, 0.0) + joint.min(axis=1).reshape(shape)

    def __call__(self, population: Population) -> Population:
        """Genotypes [n, genes] with their first genes as they are."""
        whole = population.copy()
        for gene, others, best in reversed(self._steps):
            number = np.zeros(len(whole), dtype=np.int64)
            for other in others:
                number = number * self._cardinalities[other] + whole[:, other]
            whole[:, gene] = best[number]
        return whole
