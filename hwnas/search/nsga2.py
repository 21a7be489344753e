"""NSGA-II (Deb et al. 2002) from pymoo, over genotypes: accuracy up, upper latency bound down."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.evaluator import Evaluator
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem as PymooProblem
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.problems.static import StaticProblem

from hwnas.search._base import Evaluated, SearchStrategy
from hwnas.spaces import Population, SearchSpace


class _GeneMutation(Mutation):  # type: ignore[misc]
    def __init__(self, space: SearchSpace):
        super().__init__(prob=1.0)
        self.space = space

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        rng = random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(0)
        return self.space.mutate(X.astype(np.int64), rng)


class NSGA2Strategy(SearchStrategy):
    """A population that evolves towards the front. `warm_start` genotypes join the first generation."""

    def __init__(self, space: SearchSpace, seed: int, population: int = 100, warm_start: Population | None = None):
        first = space.sample(np.random.default_rng(seed), population)
        if warm_start is not None:
            first = np.concatenate([warm_start, first])[:population]
        self._space, self._population = space, population
        self._rng = np.random.default_rng([seed, 1])
        self._problem = PymooProblem(
            n_var=len(space.cardinalities), n_obj=2, xl=0, xu=np.array(space.cardinalities) - 1, vtype=int
        )
        self._algorithm = NSGA2(
            pop_size=population, sampling=first, crossover=UniformCrossover(), mutation=_GeneMutation(space)
        )
        self._algorithm.setup(self._problem, seed=seed, verbose=False, termination=("n_gen", 10**9))
        self._asked: Any = None

    def suggest(self) -> Population:
        """The next generation, canonical; random once a small space has nothing new to offer."""
        self._asked = self._algorithm.ask()
        if self._asked is None:
            return self._space.sample(self._rng, self._population)
        population: Population = self._space.canonical(self._asked.get("X").astype(np.int64))
        self._asked.set("X", population)
        return population

    def update(self, evaluated: Evaluated) -> None:
        """Tell pymoo what the generation turned out to be."""
        if self._asked is None:
            return
        objectives = np.column_stack([-evaluated.accuracy, evaluated.upper_ms])
        Evaluator().eval(StaticProblem(self._problem, F=objectives), self._asked)
        self._algorithm.tell(infills=self._asked)
