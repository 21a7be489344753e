"""Exact Pareto fronts where accuracy and one cost are sums over few genes: a multiple-choice knapsack for all limits.

Genes are eliminated one after another (Bertele & Brioschi 1972, "Nonserial dynamic programming"): what is left of a
gene is the front of all that it may add, for every joint value of the genes it shares a table with. So a gene that
many slots follow, such as a width, is conditioned on. On the way, trades that cost more and are worth no more are
dropped (Nemhauser & Ullmann 1969, "Discrete dynamic programming and capital allocation").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwnas.search.budget import InfeasibleBudget
from hwnas.search.exact.network import cheapest
from hwnas.search.pareto import pareto_front
from hwnas.spaces import Population, SearchSpace, every_network
from hwnas.spaces.genotypes import PRICEABLE
from latency_tables.additive import Factors, NotSeparable
from latency_tables.additive.gather import Genes
from latency_tables.additive.joint import connected, every_value, shape_of
from latency_tables.arrays import Floats, Function

_STATES = 300_000  # joint values that one step may look at
_LISTED = 20_000
_LABELS = 20_000_000  # that one step may make
_ROUNDING = 1e-12  # of a limit: sums in another order may differ by less


@dataclass(frozen=True)
class ExactFront:
    """Genotypes [n, genes], ascending in cost [n] and in value [n]: no other network is cheaper and as good."""

    population: Population
    value: Floats
    cost: Floats

    def __len__(self) -> int:
        return len(self.population)

    def __getitem__(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> ExactFront:
        return ExactFront(self.population[index], self.value[index], self.cost[index])

    def best(self, limit: float) -> int | None:
        """Which is the most valuable that costs at most `limit`; None where the cheapest costs more."""
        inside = int(np.searchsorted(self.cost, limit, side="right"))
        return inside - 1 if inside else None


def exact_front(space: SearchSpace, value: Function, cost: Function, limit: float = np.inf) -> ExactFront:
    """Every Pareto-optimal trade of `value` (up) against `cost` (down) up to `limit`, exact but for rounding.

    Both are `Factors`, or any functions where a space has at most `PRICEABLE` genotypes. Raises `InfeasibleBudget`
    naming the cheapest network when it costs more than `limit`, and `NotSeparable` where too many genes depend on each
    other; `best_network` may still answer then.
    """
    front = _front(space, value, cost, limit * (1 + _ROUNDING))
    front = front[cost(front.population) <= limit]
    if not len(front):
        arch = cheapest(space, cost)
        raise InfeasibleBudget(
            f"no network of {space.name} costs {limit:g} or less: the cheapest is {space.to_text(arch)} with "
            f"{cost(arch[None])[0]:.4g}; give a larger limit"
        )
    return replace(front, population=space.canonical(front.population))


def _front(space: SearchSpace, value: Function, cost: Function, limit: float) -> ExactFront:
    """By elimination where both add up over genes, else by pricing every network."""
    problem = NotSeparable(f"accuracy or cost does not add up over the genes of {space.name}: no exact front")
    if isinstance(value, Factors) and isinstance(cost, Factors):
        try:
            return _Elimination(space, value, cost, limit).front()
        except NotSeparable as e:
            problem = e
    if (every := every_network(space, PRICEABLE)) is None:
        raise problem
    return _cut(ExactFront(every, value(every), cost(every)), limit)


@dataclass(frozen=True)
class _Message:
    """What eliminated genes may add: a front for every joint value of the ascending `genes` that decide it."""

    genes: Genes
    fronts: Sequence[ExactFront]

    @property
    def least(self) -> float:
        """The lowest cost of any."""
        return min((float(front.cost[0]) for front in self.fronts if len(front)), default=np.inf)


class _Elimination:
    """Tables not yet used, and messages from the genes that are eliminated."""

    def __init__(self, space: SearchSpace, value: Factors, cost: Factors, limit: float):
        self.space, self.value, self.cost, self.limit = space, value, cost, limit
        self.cardinalities = value.cardinalities
        self.scopes = {genes for f in (value, cost) for genes in f.tables if genes}
        self.messages: list[_Message] = []

    def front(self) -> ExactFront:
        """The front of all genes."""
        left = set(range(len(self.cardinalities)))
        for genes in connected(left, self.scopes):
            if self._states(genes) <= _LISTED:  # quicker than one gene after the other
                left -= set(genes)
                self._list(genes)
        while left:
            gene = min(left, key=lambda g: (self._states(self._scope(g)), g))
            left.remove(gene)
            self._eliminate(gene)
        nothing = np.zeros((1, len(self.cardinalities)), dtype=np.int64)
        front = ExactFront(nothing, np.array([self.value.constant]), np.array([self.cost.constant]))
        return _combined([front, *(message.fronts[0] for message in self.messages)], self.limit)

    def _list(self, genes: Genes) -> None:
        """Replace all that knows some genes, and no others, by the front of all their joint values."""
        used = {mine for mine in self.scopes if set(mine) <= set(genes)}
        self.scopes -= used
        archs = every_value(self.cardinalities, genes)
        every = ExactFront(archs, self.value.of_tables(used, genes), self.cost.of_tables(used, genes))
        self.messages.append(_Message((), [_cut(every, np.inf)]))

    def _scope(self, gene: int) -> Genes:
        """The genes that share a table or a message with one, itself too, ascending."""
        together: Iterable[Genes] = (*self.scopes, *(message.genes for message in self.messages))
        return tuple(sorted({gene}.union(*(genes for genes in together if gene in genes))))

    def _states(self, genes: Genes) -> int:
        return prod(shape_of(self.cardinalities, genes))

    def _eliminate(self, gene: int) -> None:
        """Replace all that knows a gene by one message to the genes around it."""
        scope = self._scope(gene)
        if self._states(scope) > _STATES:
            raise NotSeparable(
                f"{len(scope)} genes of {self.space.name} depend on each other: too many for an exact front"
            )
        mine = [message for message in self.messages if gene in message.genes]
        self.messages = [message for message in self.messages if gene not in message.genes]
        used = {genes for genes in self.scopes if gene in genes}
        self.scopes -= used
        others = tuple(g for g in scope if g != gene)
        shape, axis = shape_of(self.cardinalities, scope), scope.index(gene)
        value, cost = (
            np.moveaxis(f.of_tables(used, scope).reshape(shape), axis, -1).reshape(-1, shape[axis])
            for f in (self.value, self.cost)
        )
        most = self.limit - self._least_elsewhere()
        chosen = np.zeros((shape[axis], len(self.cardinalities)), dtype=np.int64)
        chosen[:, gene] = np.arange(shape[axis])
        fronts = []
        if not mine:
            for of_value, of_cost in zip(value, cost, strict=True):
                fronts.append(_cut(ExactFront(chosen, of_value, of_cost), most))
        else:
            where = [self._places(message.genes, (*others, gene)) for message in mine]
            for row, (of_value, of_cost) in enumerate(zip(value, cost, strict=True)):
                parts = []
                for v in range(shape[axis]):
                    itself = ExactFront(chosen[v : v + 1], of_value[v : v + 1], of_cost[v : v + 1])
                    given = [m.fronts[at[row, v]] for m, at in zip(mine, where, strict=True)]
                    parts.append(_combined([itself, *given], most))
                fronts.append(_cut(_beside(parts), most))
        self.messages.append(_Message(others, fronts))

    def _least_elsewhere(self) -> float:
        """What all that is not being eliminated costs at least."""
        tables = sum(float(self.cost.tables[genes].min()) for genes in self.scopes if genes in self.cost.tables)
        return self.cost.constant + tables + sum(message.least for message in self.messages)

    def _places(self, genes: Genes, states: Genes) -> NDArray[np.int64]:
        """Which joint value of ascending `genes` every joint value of `states` has, [..., values of the last]."""
        values = every_value(self.cardinalities, states)[:, list(genes)]
        number: NDArray[np.int64] = np.ravel_multi_index(tuple(values.T), shape_of(self.cardinalities, genes))
        return number.reshape(-1, self.cardinalities[states[-1]])


def _beside(fronts: Sequence[ExactFront]) -> ExactFront:
    columns = zip(*((f.population, f.value, f.cost) for f in fronts), strict=True)
    return ExactFront(*map(np.concatenate, columns))


def _cut(trades: ExactFront, limit: float) -> ExactFront:
    """The front of trades within a limit."""
    inside = trades[trades.cost <= limit] if np.isfinite(limit) else trades
    return inside[pareto_front(inside.value, inside.cost)]


def _combined(fronts: Sequence[ExactFront], limit: float) -> ExactFront:
    """The front of all sums of one trade from each, within a limit; each gene is set in one of them alone."""
    if not all(map(len, fronts)):
        return fronts[0][np.zeros(0, dtype=np.int64)]
    total, rest = fronts[0], sum(float(front.cost[0]) for front in fronts[1:])
    for front in fronts[1:]:
        rest -= float(front.cost[0])
        total = _sums(total, front, limit - rest)
    return total


def _sums(one: ExactFront, other: ExactFront, limit: float) -> ExactFront:
    if len(one) * len(other) > _LABELS:
        raise NotSeparable("the exact front has too many networks; ask for one budget with best_network")
    cost = (one.cost[:, None] + other.cost).ravel()
    pairs = np.flatnonzero(cost <= limit)
    mine, theirs = np.divmod(pairs, max(len(other), 1))
    front = pareto_front(one.value[mine] + other.value[theirs], cost[pairs])
    mine, theirs = mine[front], theirs[front]
    population = one.population[mine] + other.population[theirs]
    return ExactFront(population, one.value[mine] + other.value[theirs], cost[pairs][front])
