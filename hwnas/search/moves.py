"""Single-gene changes of many networks at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats


class Moves:
    """Single-gene changes of a genotype: gene by gene, every other value in turn."""

    def __init__(self, space: SearchSpace):
        self.space = space
        self.cardinalities = np.array(space.cardinalities)
        free = [(gene, shift) for gene, n in enumerate(space.cardinalities) for shift in range(1, n)]
        self.gene = np.array([gene for gene, _ in free], dtype=np.int64)
        self.shift = np.array([shift for _, shift in free], dtype=np.int64)
        self.free = np.unique(self.gene)

    def __len__(self) -> int:
        return len(self.gene)

    def apply(self, here: Population) -> Population:
        """Genotypes [s, genes] after each move, canonical, [s, moves, genes]."""
        around = np.repeat(here[:, None], len(self), axis=1)
        moves = np.arange(len(self))
        around[:, moves, self.gene] = (here[:, self.gene] + self.shift) % self.cardinalities[self.gene]
        clean: Population = self.space.canonical(around.reshape(-1, here.shape[1])).reshape(around.shape)
        return clean

    def best_of_each_gene(self, gains: Floats) -> NDArray[np.int64]:
        """For each gene that has a choice, the move that gains most, [s, free genes], of gains [s, moves]."""
        columns = [(mine := np.flatnonzero(self.gene == gene))[gains[:, mine].argmax(axis=1)] for gene in self.free]
        return np.stack(columns, axis=1)

    def make(self, here: Population, chosen: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Make moves [r] in genotypes `here[rows]`, in place; later moves of one gene replace earlier ones."""
        gene = self.gene[chosen]
        here[rows, gene] = (here[rows, gene] + self.shift[chosen]) % self.cardinalities[gene]
