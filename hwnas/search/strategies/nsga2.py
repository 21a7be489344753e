"""NSGA-II (Deb et al. 2002) from pymoo, over genotypes: accuracy up, upper latency bound down, inside budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.repair import Repair
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.problems.static import StaticProblem

from hwnas.search.budget import Budget, repair, sample_within
from hwnas.search.problem import Evaluated, SearchStrategy
from hwnas.search.strategies._memory import Memory
from hwnas.search.strategies._warm_start import warm_started
from hwnas.spaces import Population, SearchSpace, unique_genotypes

_MATINGS = 10  # at most, for one generation: where budgets leave few networks, most offspring are twins


class _GeneMutation(Mutation):  # type: ignore[misc]
    def __init__(self, space: SearchSpace):
        super().__init__(prob=1.0)
        self.space = space

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(0)
        return self.space.mutate(X.astype(np.int64), rng)


class _IntoBudgets(Repair):  # type: ignore[misc]
    """Offspring, canonical and inside the budgets; random networks take the place of those that cannot get there."""

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget], rng: np.random.Generator):
        super().__init__()
        self.space, self.budgets, self.rng = space, budgets, rng

    def _do(self, problem: Any, X: Any, **kwargs: Any) -> Any:
        inside = repair(self.space, self.space.canonical(X.astype(np.int64)), self.budgets, self.rng)
        lost = len(X) - len(inside)
        return np.concatenate([inside, sample_within(self.space, self.budgets, self.rng, lost)]) if lost else inside


class NSGA2Strategy(SearchStrategy):
    """A population that evolves towards the front, all of it inside the budgets; without latency, by accuracy alone.

    `warm_start` genotypes, as many as there is room for, join the first generation. Networks below `fast_enough_ms`
    count as equally fast: under a budget that crowds the population where the most accurate networks are, at the
    price of the fast end of the front.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        population: int = 100,
        warm_start: Population | None = None,
        budgets: Sequence[Budget] = (),
        fast_enough_ms: float = 0.0,
    ):
        self._fast_enough_ms = fast_enough_ms
        self._memory, self._population = Memory(space, seed, budgets), population
        rng = self._memory.rng
        random = sample_within(space, budgets, rng, population)
        warm = warm_started(space, warm_start, budgets, rng)
        self._problem = PymooProblem(
            n_var=len(space.cardinalities), n_obj=2, xl=0, xu=np.array(space.cardinalities) - 1, vtype=int
        )
        self._algorithm = NSGA2(
            pop_size=population,
            sampling=unique_genotypes(np.concatenate([warm, random]))[:population],
            crossover=UniformCrossover(),
            mutation=_GeneMutation(space),
            repair=_IntoBudgets(space, budgets, rng),
        )
        self._algorithm.mating.n_max_iterations = _MATINGS
        self._algorithm.setup(self._problem, seed=seed, verbose=False, termination=("n_gen", 10**9))
        self._asked: Any = None

    def suggest(self) -> Population:
        """The next generation, canonical; once it has no new offspring, random networks not seen before."""
        self._asked = self._algorithm.ask()
        if self._asked is None:
            return self._memory.random_new(self._population)
        population: Population = self._asked.get("X").astype(np.int64)
        return population

    def update(self, evaluated: Evaluated) -> None:
        """Tell pymoo what the generation turned out to be."""
        self._memory.add(evaluated)
        if self._asked is None:
            return
        ms = np.maximum(np.nan_to_num(evaluated.upper_ms), self._fast_enough_ms)
        objectives = np.column_stack([-evaluated.accuracy, ms])
        Evaluator().eval(StaticProblem(self._problem, F=objectives), self._asked)
        self._algorithm.tell(infills=self._asked)
