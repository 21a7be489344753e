"""First how large, then which."""

from __future__ import annotations

import numpy as np

from hwnas.spaces import Population, SearchSpace, every_network
from hwnas.spaces.cost import count_macs
from hwnas.spaces.sampling import spread_networks
from hwnas.training.paths._base import PathSampler

_POOL = 1024  # networks to draw from, where a space has too many to list


class BalancedPaths(PathSampler):
    """A group of networks of similar MACs is drawn first, then one network of it.

    Random networks crowd in the middle, so that a supernet sees few large ones and ranks them too low. Groups divide
    the range of MACs into equal parts; Oh et al. 2025, "Efficient Few-Shot Neural Architecture Search by Counting the
    Number of Nonlinear Functions", have them by that number.
    """

    def __init__(self, space: SearchSpace, groups: int = 3):
        self.name = f"balanced-{groups}"
        macs = {op: float(count_macs(space.build_op(op), op.in_shape)) for op in space.all_ops}
        every = every_network(space)
        pool = spread_networks(space, macs, np.random.default_rng(0), _POOL) if every is None else every
        size = space.additive(macs)(pool)
        edges = np.linspace(size.min(), size.max(), groups + 1)[1:-1]
        number = np.digitize(size, edges)
        self.groups = [pool[number == group] for group in np.unique(number)]

    def paths(self, rng: np.random.Generator, progress: float) -> Population:
        """One network, [1, genes]."""
        group = self.groups[rng.integers(len(self.groups))]
        drawn: Population = group[rng.integers(len(group), size=1)]
        return drawn
