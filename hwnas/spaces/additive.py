"""Costs that add up over the ops of a network: multiply-accumulates, parameters, plain sums of milliseconds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hwnas.spaces.space import SearchSpace
from latency_tables import Op
from latency_tables.additive.factors import Factors
from latency_tables.arrays import Population
from latency_tables.model.model import slot_sums


class AdditiveCost:
    """What the ops of networks cost together; called with genotypes [n, genes] it gives [n], one gather a slot."""

    def __init__(self, space: SearchSpace, of_op: Mapping[Op, float]):
        self._space = space
        self._per_slot = [
            np.array([sum(of_op[op] for op in choice) for choice in slot], dtype=np.float64) for slot in space.slots
        ]

    def __call__(self, population: Population) -> NDArray[np.float64]:
        """The costs of genotypes [n, genes], [n]."""
        return slot_sums(self._per_slot, self._space.slot_choices(population))

    @property
    def factors(self) -> Factors:
        """The same as tables over genes; raises `NotSeparable` where a choice follows too many of them."""
        return Factors.of_slots(self._space, self._per_slot)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the most that choices of every slot cost together."""
        return sum(float(c.min()) for c in self._per_slot), sum(float(c.max()) for c in self._per_slot)
