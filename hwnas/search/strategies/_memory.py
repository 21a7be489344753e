"""What a strategy has suggested and what came of it: nothing is asked twice, and budgets are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwnas.search.budget import feasible
from hwnas.search.evaluated import Evaluated
from hwnas.search.feasibility import infeasible, repair, sample_within
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SpaceExhausted
from hwnas.spaces import Population, every_network, unique_genotypes
from hwnas.spaces.genotypes import keys_of
from hwnas.spaces.sampling import collect
from latency_tables.arrays import Floats

_DRAWS = 20


class Memory:
    """Networks seen so far, [n, genes], with their accuracies [n], and new ones that keep the budgets."""

    def __init__(self, problem: Problem, seed: int):
        space = problem.space
        self.space, self.budgets = space, problem.budgets
        self.rng = np.random.default_rng(seed)
        self.population: Population = np.zeros((0, len(space.cardinalities)), dtype=np.int64)
        self.accuracy: Floats = np.zeros(0)
        self._row: dict[bytes, int] = {}
        every = every_network(space)
        self._listed = None if every is None else every[feasible(self.budgets, every)]
        if self._listed is not None:
            if not len(self._listed):
                raise infeasible(space, self.budgets)
            self._place = {key: i for i, key in enumerate(keys_of(self._listed))}
            self._left = np.ones(len(self._listed), dtype=bool)

    def __len__(self) -> int:
        return len(self.population)

    def add(self, evaluated: Evaluated) -> Evaluated:
        """Remember evaluations; of a network that was seen before, the first. Those that were new, canonical."""
        clean = self.space.canonical(evaluated.population)
        new: dict[bytes, int] = {}  # and where it comes first
        for i, key in enumerate(keys_of(clean)):
            if key not in self._row:
                new.setdefault(key, i)
        self._row |= {key: len(self) + i for i, key in enumerate(new)}
        added = replace(evaluated, population=clean)[np.array(list(new.values()), dtype=np.int64)]
        self.population = np.concatenate([self.population, added.population])
        self.accuracy = np.concatenate([self.accuracy, added.accuracy])
        if self._listed is not None:
            places = map(self._place.get, new)
            self._left[[place for place in places if place is not None]] = False
        return added

    def warm_started(self, warm_start: Population | None) -> Population:
        """Distinct genotypes [m, genes] of a warm start [n, genes], repaired where over budget, or else left out.

        None is no genotypes. Raises `ArchError` for a genotype that is not of the space.
        """
        given = [] if warm_start is None else [self.space.check(arch) for arch in warm_start]
        population = np.array(given, dtype=np.int64).reshape(-1, len(self.space.cardinalities))
        return unique_genotypes(repair(self.space, population, self.budgets, self.rng))

    def rows(self, population: Population) -> NDArray[np.int64]:
        """Where in the memory canonical genotypes [n, genes] are, [n]; -1 for one that has not been seen."""
        return np.array([self._row.get(key, -1) for key in keys_of(population)], dtype=np.int64)

    def best(self, count: int) -> Population:
        """The most accurate networks seen that keep the budgets, best first, [<= count, genes]."""
        order = np.argsort(-self.accuracy, kind="stable")
        found: Population = self.population[order[feasible(self.budgets, self.population[order])][:count]]
        return found

    def new(self, population: Population) -> Population:
        """Distinct networks of `population` that have not been seen and keep every budget, in order."""
        fresh = unique_genotypes(population)
        fresh = fresh[self.rows(fresh) < 0]
        inside: Population = fresh[feasible(self.budgets, fresh)] if self.budgets and len(fresh) else fresh
        return inside

    def all_new(self) -> Population | None:
        """Every network not seen that keeps the budgets; None where the space is too large to list."""
        if self._listed is None:
            return None
        left: Population = self._listed[self._left]
        return left

    def random_new(self, count: int) -> Population:
        """Random networks not seen that keep the budgets, [<= count, genes]; raises `SpaceExhausted` without any."""
        if (left := self.all_new()) is not None:
            if not len(left):
                keeping = " that keep the budgets" if self.budgets else ""
                raise SpaceExhausted(f"all {len(self)} networks of {self.space.name}{keeping} have been seen")
            return left[self.rng.permutation(len(left))[:count]]

        def draw() -> Population:
            return self.new(sample_within(self.space, self.budgets, self.rng, 2 * count))

        found = collect(draw, count, _DRAWS)
        if not len(found):
            raise SpaceExhausted(f"no network of {self.space.name} is left to find by chance")
        return found

    def pool(self, count: int, parents: int) -> Population:
        """Every new network where they can be listed; otherwise `count` random ones and as many mutants of the best."""
        if (left := self.all_new()) is not None:
            return left if len(left) else self.random_new(1)
        drawn = self.random_new(count)
        return unique_genotypes(np.concatenate([drawn, self.mutants(self.best(parents), count)]))

    def mutants(self, parents: Population, count: int) -> Population:
        """New networks that are mutants of `parents`, repaired where over budget, [<= count, genes]."""

        def draw() -> Population:
            chosen = parents[self.rng.integers(0, len(parents), 2 * count)]
            return self.new(repair(self.space, self.space.mutate(chosen, self.rng), self.budgets, self.rng))

        return collect(draw, count, _DRAWS)
