"""Finalists as the main job chose them before clusters: what clusters are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces import Population


def apart(population: Population, count: int, genes: int = 3) -> NDArray[np.int64]:
    """Indices of the first `count` genotypes that differ from all before them in at least `genes` genes.

    Fewer where there are not so many.
    """
    picked: list[int] = []
    for i, arch in enumerate(population):
        if len(picked) == count:
            break
        if all((arch != population[j]).sum() >= genes for j in picked):
            picked.append(i)
    return np.array(picked, dtype=np.int64)
