"""Several devices at once: each one's front with the milliseconds on all others, and one network for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.search.budget import Budget
from hwnas.search.exact.front import exact_front
from hwnas.search.exact.network import ExactAnswer, best_network, cheapest
from hwnas.search.pareto import pareto_front
from hwnas.spaces import Population, SearchSpace
from latency_tables import HwnasError, LatencyModel, OpCost
from latency_tables.additive.factors import NotSeparable
from latency_tables.arrays import Floats, Function
from latency_tables.progress import Progress, silent

RESOURCES: Mapping[str, Callable[[OpCost], float]] = {
    "MB": lambda cost: cost.weight_mb,
    "M MACs": lambda cost: cost.macs / 1e6,
    "M parameters": lambda cost: cost.params / 1e6,
}
"""What a network takes on any device: megabytes of weights, millions of multiply-accumulates and of parameters."""


@dataclass(frozen=True)
class DeviceFront:
    """The best trades of `value` against one device's upper ms: genotypes [n, genes], fastest first, and values [n].

    `ms` and their upper bounds are those on every device of the fleet, [n, devices]. A front that is not `whole` holds
    the optima of a ladder of budgets, and others may lie between them; `proven` says that none ran out of time.
    """

    population: Population
    value: Floats
    ms: Floats
    upper_ms: Floats
    whole: bool
    proven: bool

    def __len__(self) -> int:
        return len(self.population)


@dataclass(frozen=True)
class Fleet:
    """Devices by name, each with the latency model of one and the same space."""

    space: SearchSpace
    devices: Mapping[str, LatencyModel]

    def ms(self, population: Population) -> tuple[Floats, Floats]:
        """Milliseconds of genotypes [n, genes] and their upper bounds on every device, [n, devices] each."""
        predicted = [model.predict(population) for model in self.devices.values()]
        return np.stack([p.ms for p in predicted], axis=1), np.stack([p.upper_ms for p in predicted], axis=1)

    def budget_ms(self, device: str, limit_ms: float) -> Budget:
        """Milliseconds on one device, by the upper bound; raises `HwnasError` for a device that is not of the fleet."""
        if device not in self.devices:
            raise HwnasError(f"there is no device {device!r} for a budget; there are {', '.join(self.devices)}")
        return Budget(f"ms on {device}", limit_ms, self.devices[device].upper_ms)

    def budget(self, resource: str, limit: float) -> Budget:
        """A budget in one of `RESOURCES`; where tables differ about an op, the most that any says."""
        measure, tables = RESOURCES[resource], [model.table for model in self.devices.values()]
        of_op = {op: max(measure(table[op].cost) for table in tables) for op in self.space.all_ops}
        return Budget(resource, limit, self.space.additive(of_op))

    def one_network(self, value: Function, budgets: Sequence[Budget], time_limit_s: float | None = None) -> ExactAnswer:
        """The most valuable network within every budget of every device, with a bound; raises as `best_network`."""
        return best_network(self.space, value, budgets, time_limit_s)

    def sweep(
        self, value: Function, rungs: int = 24, time_limit_s: float | None = None, progress: Progress = silent
    ) -> dict[str, DeviceFront]:
        """The front of `value` against ms on each device, by name.

        Whole where both add up over genes, or where all networks can be listed; else the best networks of `rungs`
        budgets, evenly spaced from the fastest network to the most valuable one. Raises as `best_network`.
        """
        fronts = {}
        for i, (name, model) in enumerate(self.devices.items()):
            progress(i, len(self.devices), name)
            try:
                front, whole, proven = exact_front(self.space, value, model.upper_ms).population, True, True
            except NotSeparable:
                whole, (front, proven) = False, _ladder(self.space, value, model.upper_ms, rungs, time_limit_s)
            fronts[name] = DeviceFront(front, value(front), *self.ms(front), whole, proven)
        progress(len(self.devices), len(self.devices), "fronts")
        return fronts


def _ladder(
    space: SearchSpace, value: Function, cost: Function, rungs: int, time_limit_s: float | None
) -> tuple[Population, bool]:
    """The best networks of a ladder of budgets, [<= rungs, genes], cheapest first, and whether all are proven."""
    found = [best_network(space, value, (), time_limit_s)]
    ends = np.stack([cheapest(space, cost), found[0].arch])
    least, most = cost(ends)
    for limit in np.linspace(least, most, max(rungs, 2))[1:-1]:
        found.append(best_network(space, value, [Budget("ms", limit, cost)], time_limit_s))
    population = np.stack([ends[0], *(answer.arch for answer in found)])
    front = pareto_front(value(population), cost(population))
    return population[front], all(answer.proven() for answer in found)
