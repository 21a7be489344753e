"""Which of many networks to look at closer: of the promising ones, of all alike, and on the way to each budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

_TOP = 0.1


def clustered(
    space: SearchSpace, population: Population, worth: Floats, count: int, *, top: float = _TOP, seed: int = 0
) -> NDArray[np.int64]:
    """Indices of `count` of the genotypes [n, genes] with the highest `worth` [n], the best first, [<= count].

    Networks that are equally promising are often nearly equal, and then wrong together. So the share `top` of all is
    divided by k-means in `space.encode`, and the best of each cluster is taken (DC-NAS, Wang et al. 2020,
    "Divide-and-Conquer Neural Architecture Search"). Fewer where there are not so many different networks.
    """
    order = np.argsort(-worth, kind="stable")
    best = order[: max(count, round(top * len(order)))]
    features = space.encode(population[best])
    clusters = min(count, len(np.unique(features, axis=0)))
    if clusters == 0:
        return best
    label = KMeans(clusters, n_init=4, random_state=seed).fit_predict(features)
    first = np.sort(np.unique(label, return_index=True)[1])
    chosen: NDArray[np.int64] = best[first]
    return chosen


def spread_over(worth: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `count` networks over the whole range of `worth` [n]: a random one of each of `count` equal parts.

    What to train first, where a cheap worth is to be corrected by a few trainings.
    """
    parts = np.array_split(np.argsort(worth, kind="stable"), min(count, len(worth)))
    return np.array([rng.choice(part) for part in parts], dtype=np.int64)


def best_per_budget(worth: Floats, cost: Floats, count: int, known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the best networks inside each of `count` budgets that are not `known`, [<= count], each once.

    Budgets are on `cost` [n], such that each admits as many networks more than the last; the last admits all.
    """
    taken = np.zeros(len(worth), dtype=bool)
    taken[known] = True
    order, found = np.argsort(-worth, kind="stable"), list[int]()
    for limit in np.quantile(cost, np.arange(1, count + 1) / count):
        left = order[(cost[order] <= limit) & ~taken[order]]
        if len(left):
            found.append(int(left[0]))
            taken[left[0]] = True
    return np.array(found, dtype=np.int64)
