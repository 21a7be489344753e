"""What a search is told of networks: how accurate they are, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hwnas.search.pareto import pareto_front
from hwnas.spaces import Population
from latency_tables.arrays import Floats


@dataclass(frozen=True)
class Evaluated:
    """Genotypes [n, genes] with accuracy, its deviation, milliseconds and their upper bound, each [n].

    Milliseconds are NaN where a problem has no latency.
    """

    population: Population
    accuracy: Floats
    std: Floats
    ms: Floats
    upper_ms: Floats

    def __len__(self) -> int:
        return len(self.population)

    def __getitem__(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Evaluated:
        return Evaluated(*(getattr(self, field.name)[index] for field in fields(Evaluated)))

    def front(self) -> Evaluated:
        """The Pareto front of accuracy (up) against milliseconds (down), fastest first."""
        return self[pareto_front(self.accuracy, self.ms)]


def concat(parts: Sequence[Evaluated]) -> Evaluated:
    """Evaluations one after another."""
    return Evaluated(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Evaluated)))
