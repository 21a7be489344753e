"""What a strategy has suggested and what came of it: nothing is asked twice, and budgets are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.search._base import Evaluated, SpaceExhausted
from hwnas.search.budget import Budget, infeasible, kept, repair, sample_within
from hwnas.spaces import Population, SearchSpace, every_network, unique_genotypes

Floats = NDArray[np.float64]

_DRAWS = 20


class Memory:
    """Networks seen so far, [n, genes], with their accuracies [n], and new ones that keep the budgets."""

    def __init__(self, space: SearchSpace, seed: int, budgets: Sequence[Budget] = ()):
        self.space, self.budgets = space, tuple(budgets)
        self.rng = np.random.default_rng(seed)
        self.population: Population = np.zeros((0, len(space.cardinalities)), dtype=np.int64)
        self.accuracy: Floats = np.zeros(0)
        self._keys: set[bytes] = set()
        every = every_network(space)
        self._listed = None if every is None else every[kept(self.budgets, every)]
        if self._listed is not None and not len(self._listed):
            raise infeasible(space, self.budgets)

    def __len__(self) -> int:
        return len(self.population)

    def add(self, evaluated: Evaluated) -> None:
        """Remember an evaluation."""
        self.population = np.concatenate([self.population, evaluated.population])
        self.accuracy = np.concatenate([self.accuracy, evaluated.accuracy])
        self._keys |= {row.tobytes() for row in np.ascontiguousarray(evaluated.population)}

    def best(self, count: int) -> Population:
        """The most accurate networks seen that keep the budgets, best first, [<= count, genes]."""
        order = np.argsort(-self.accuracy, kind="stable")
        found: Population = self.population[order[kept(self.budgets, self.population[order])][:count]]
        return found

    def new(self, population: Population) -> Population:
        """Distinct networks of `population` that have not been seen and keep every budget, in order."""
        distinct = unique_genotypes(population)
        unseen = np.array([row.tobytes() not in self._keys for row in np.ascontiguousarray(distinct)], dtype=bool)
        fresh = distinct[unseen]
        inside: Population = fresh[kept(self.budgets, fresh)] if self.budgets and len(fresh) else fresh
        return inside

    def all_new(self) -> Population | None:
        """Every network not seen that keeps the budgets; None where the space is too large to list."""
        if self._listed is None:
            return None
        unseen = [row.tobytes() not in self._keys for row in self._listed]
        left: Population = self._listed[np.array(unseen, dtype=bool)]
        return left

    def random_new(self, count: int) -> Population:
        """Random networks not seen that keep the budgets, [<= count, genes]; raises `SpaceExhausted` without any."""
        if (left := self.all_new()) is not None:
            if not len(left):
                keeping = " that keep the budgets" if self.budgets else ""
                raise SpaceExhausted(f"all {len(self)} networks of {self.space.name}{keeping} have been seen")
            return left[self.rng.permutation(len(left))[:count]]
        found = self.population[:0]
        for _ in range(_DRAWS):
            drawn = sample_within(self.space, self.budgets, self.rng, 2 * count)
            found = unique_genotypes(np.concatenate([found, self.new(drawn)]))[:count]
            if len(found) == count:
                break
        if not len(found):
            raise SpaceExhausted(f"no network of {self.space.name} is left to find by chance")
        return found

    def pool(self, count: int, parents: int) -> Population:
        """Every new network where they can be listed; otherwise `count` random ones and as many mutants of the best."""
        if (left := self.all_new()) is not None:
            return left if len(left) else self.random_new(1)
        drawn = self.random_new(count)
        return unique_genotypes(np.concatenate([drawn, self.mutants(self.best(parents), count)]))

    def mutants(self, parents: Population, count: int, rate: float | None = None) -> Population:
        """New networks that are mutants of `parents`, repaired where over budget, [<= count, genes]."""
        found = self.population[:0]
        for _ in range(_DRAWS):
            children = self.space.mutate(parents[self.rng.integers(0, len(parents), 2 * count)], self.rng, rate)
            within = repair(self.space, children, self.budgets, self.rng) if self.budgets else children
            found = unique_genotypes(np.concatenate([found, self.new(within)]))[:count]
            if len(found) == count:
                break
        return found
