"""Which of many networks to look at closer: of the promising ones, of all alike, and on the way to each budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

_TOP = 0.1
# Among promising networks a supernet's word counts little against a training; chosen on NAS-Bench-201.
_SAID, _NOISE = 0.3, 0.3


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


def corrected(
    space: SearchSpace, population: Population, said: Floats, known: NDArray[np.int64], worth: Floats
) -> Floats:
    """What genotypes [n, genes] are worth, once the `known` of them have been trained to a `worth` [k]; [n].

    `said` [n] is what was predicted before. What it left of the trained ones' worth is carried over to networks alike,
    by a Gaussian process of fixed hyper-parameters (simple kriging, Rasmussen & Williams 2006, chapter 2): `k` is too
    small to learn them from. In deviations of the trained ones' worth from their mean; only the order matters.
    """
    features = space.encode(population)
    hopes: Floats = _SAID * (said - said[known].mean()) / (said.std() or 1.0)
    left = (worth - worth.mean()) / (worth.std() or 1.0) - hopes[known]
    length = float(np.median(pdist(features))) if len(features) > 1 else 1.0
    process = GaussianProcessRegressor(Matern(length or 1.0, nu=2.5), alpha=_NOISE, optimizer=None)
    found: Floats = hopes + process.fit(features[known], left - left.mean()).predict(features)
    return found


def spread_over(worth: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `count` networks over the whole range of `worth` [n]: a random one of each of `count` equal parts.

    What to train first, where a cheap worth is to be corrected by a few trainings.
    """
    parts = np.array_split(np.argsort(worth, kind="stable"), min(count, len(worth)))
    return np.array([rng.choice(part) for part in parts], dtype=np.int64)


def best_per_budget(worth: Floats, cost: Floats, count: int) -> NDArray[np.int64]:
    """Indices of the best networks inside each of `count` budgets, each network once, [<= count].

    Budgets are on `cost` [n], such that each admits as many networks more than the last; the last admits all. Leave
    out what is known already, so that none is chosen again.
    """
    left, found = np.argsort(-worth, kind="stable"), list[int]()
    for limit in np.quantile(cost, np.arange(1, count + 1) / count) if len(cost) else ():
        inside = left[cost[left] <= limit]
        found.extend(inside[:1])
        left = left[~np.isin(left, inside[:1])]
    return np.array(found, dtype=np.int64)
