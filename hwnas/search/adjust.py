"""Network adjustment: from a network that there is to one that fills its budgets, in as few changes as it takes.

Every single-gene change has a utilisation ratio, d accuracy / d cost: the accuracy that a millisecond buys there, or
that giving one up loses. Network adjustment (Chen et al. 2020, "Network Adjustment: Channel Search Guided by FLOPs
Utilization Ratio") adds channels to the layers where it is high and takes them from those where it is low, in small
steps, for like a gradient it holds near the network only. NetAdapt (Yang et al. 2018) simplifies a network step by step
until what it measured of layers says that a latency budget is met. Here a step is one gene, or two at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.search.budget import Budget, feasible, violation
from hwnas.search.feasibility import infeasible
from hwnas.spaces import Genotype, Population, SearchSpace
from hwnas.spaces.genotypes import LISTABLE
from latency_tables.additive.factors import Factors
from latency_tables.additive.gather import Genes
from latency_tables.additive.joint import every_value, shape_of
from latency_tables.arrays import Floats, Function

_LEAST = 1e-12  # a gain that is more than rounding


@dataclass(frozen=True)
class Utilisation:
    """The single-gene changes of a network: genotypes [n, genes], and what each changes in accuracy and cost, [n]."""

    population: Population
    accuracy_change: Floats
    cost_change: Floats

    @property
    def ratio(self) -> Floats:
        """d accuracy / d cost, [n]; infinite where accuracy changes at no cost, 0 where nothing changes."""
        free = np.where(np.abs(self.accuracy_change) > _LEAST, np.copysign(np.inf, self.accuracy_change), 0.0)
        known: Floats = np.divide(self.accuracy_change, self.cost_change, out=free, where=self.cost_change != 0)
        return known


def utilisation(space: SearchSpace, arch: Genotype, accuracy: Function, cost: Function) -> Utilisation:
    """What each single-gene change of `arch` [genes] does; `accuracy` and `cost` map genotypes [n, genes] to [n]."""
    around = space.neighbours(arch)
    return Utilisation(around, accuracy(around) - accuracy(arch[None]), cost(around) - cost(arch[None]))


@dataclass(frozen=True)
class Adjusted:
    """The genotype [genes] an adjustment ended at, its accuracy, which genes changed, and what is left of each budget.

    `left` is a fraction of every budget's limit, [budgets].
    """

    arch: Genotype
    accuracy: float
    changed: NDArray[np.int64]
    left: Floats


def adjust(
    space: SearchSpace,
    start: Genotype,
    accuracy: Function,
    budgets: Sequence[Budget],
    most_changes: int | None = None,
) -> Adjusted:
    """From `start` [genes] to a network inside every budget that no change or exchange of genes makes more accurate.

    Outside a budget it first gives up the least accuracy for what it saves; then it spends what is left where that buys
    most, and exchanges one gene for another. `most_changes` is how many genes may differ from the start. A local search
    for any `accuracy`, genotypes [n, genes] to [n]: where that adds up, `best_network` with `hamming_budget` is exact.
    Raises `InfeasibleBudget` where the way into the budgets was not found.
    """
    start = space.check(start)
    limits = [*budgets, *([] if most_changes is None else [hamming_budget(space, start, most_changes)])]
    arch = _repaired(space, start, accuracy, limits)
    while (better := _improved(space, arch, accuracy, limits)) is not None:
        arch = better
    left = np.array([1 - float(b.cost(arch[None])[0]) / b.limit for b in budgets])
    return Adjusted(arch, float(accuracy(arch[None])[0]), np.flatnonzero(arch != start), left)


def hamming_budget(space: SearchSpace, start: Genotype, most: int) -> Budget:
    """A budget of genes that may differ from `start` [genes]; genes without effect count as 0, as they are written.

    Its cost is `Factors` where slots follow few genes, so that `best_network` stays exact with it. Raises ValueError
    for fewer than one.
    """
    if most < 1:
        raise ValueError(f"at least one gene must be free to change, got {most}")
    start = space.check(start)
    counted = Budget("genes changed", most, lambda archs: (space.canonical(archs) != start).sum(axis=1))
    slots = [slot.genes for slot in space.slots]
    if None in slots:
        return counted
    tables: dict[Genes, Floats] = {}
    for gene in range(len(start)):
        # Whether a gene has an effect is decided by all genes of its slots.
        together = [genes for genes in slots if genes and gene in genes] if gene in space.layout.idle else []
        genes = tuple(sorted({gene}.union(*together)))
        shape = shape_of(space.cardinalities, genes)
        if prod(shape) > LISTABLE:
            return counted
        differs = space.canonical(every_value(space.cardinalities, genes))[:, gene] != start[gene]
        tables[genes] = tables.get(genes, np.zeros(shape)) + differs.reshape(shape)
    return replace(counted, cost=Factors(space.cardinalities, tables))


def exchanges(space: SearchSpace, arch: Genotype) -> Population:
    """Every canonical genotype that changes two genes of `arch` [genes], [n, genes]."""
    moves = [(gene, v) for gene, n in enumerate(space.cardinalities) for v in range(n) if v != arch[gene]]
    genes, values = np.array(moves, dtype=np.int64).reshape(-1, 2).T
    one, other = np.nonzero(genes[:, None] < genes)
    pairs = np.repeat(arch[None], len(one), axis=0)
    for move in (one, other):
        pairs[np.arange(len(pairs)), genes[move]] = values[move]
    return space.canonical(pairs)


def _offers(space: SearchSpace, arch: Genotype) -> Iterator[Population]:
    """Changes of one gene; where those are not enough, of two."""
    yield space.neighbours(arch)
    yield exchanges(space, arch)


def _repaired(space: SearchSpace, start: Genotype, accuracy: Function, budgets: Sequence[Budget]) -> Genotype:
    """The first network inside on the way that loses least accuracy for what it saves; else on the steepest way."""
    for least_loss in (True, False):
        arch: Genotype | None = start
        while arch is not None:
            over = float(violation(budgets, arch[None])[0])
            if over <= 0:
                return arch
            arch = _closer(space, arch, over, accuracy, budgets, least_loss)
    raise infeasible(space, budgets)


def _closer(
    space: SearchSpace, arch: Genotype, over: float, accuracy: Function, budgets: Sequence[Budget], least_loss: bool
) -> Genotype | None:
    """A genotype [genes] that overruns the budgets by less than `over`; None where no change or exchange does."""
    for around in filter(len, _offers(space, arch)):
        saved = over - violation(budgets, around)
        around, saved = around[saved > _LEAST], saved[saved > _LEAST]
        if len(around):
            worth = (accuracy(around) - accuracy(arch[None])) / saved if least_loss else saved
            return np.asarray(around[worth.argmax()])
    return None


def _improved(space: SearchSpace, arch: Genotype, accuracy: Function, budgets: Sequence[Budget]) -> Genotype | None:
    """The change inside the budgets that gains most for what it takes, those that take nothing first."""
    here = float(accuracy(arch[None])[0])
    for around in filter(len, _offers(space, arch)):
        around = around[feasible(budgets, around)]
        gain = accuracy(around) - here if len(around) else np.zeros(0)
        around, gain = around[gain > _LEAST], gain[gain > _LEAST]
        if len(around):
            taken = _taken(budgets, arch, around)
            worth = np.divide(gain, taken, out=np.full(len(gain), np.inf), where=taken > 0)
            return np.asarray(around[np.lexsort((gain, worth))[-1]])
    return None


def _taken(budgets: Sequence[Budget], arch: Genotype, around: Population) -> Floats:
    """The largest share that genotypes [n, genes] take of what `arch` [genes] leaves of a budget, [n]."""
    costs = [(b.limit, float(b.cost(arch[None])[0]), b.cost(around)) for b in budgets]
    shares = [(then - now) / max(limit - now, _LEAST) for limit, now, then in costs]
    return np.max(shares, axis=0) if shares else np.zeros(len(around))
