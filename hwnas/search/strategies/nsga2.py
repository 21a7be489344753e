"""NSGA-II (Deb et al. 2002) from pymoo, over genotypes: accuracy up, upper latency bound down, inside budgets."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.duplicate import DefaultDuplicateElimination
from pymoo.core.evaluator import Evaluator
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population as Individuals
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.repair import Repair
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.problems.static import StaticProblem

from hwnas.search.evaluated import Evaluated, concat
from hwnas.search.feasibility import repair, sample_within
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy
from hwnas.search.strategies._memory import Memory
from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.genotypes import keys_of

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

    def __init__(self, problem: Problem, rng: np.random.Generator):
        super().__init__()
        self.space, self.budgets, self.rng = problem.space, problem.budgets, rng

    def _do(self, problem: Any, X: Any, **kwargs: Any) -> Any:
        inside = repair(self.space, self.space.canonical(X.astype(np.int64)), self.budgets, self.rng)
        lost = len(X) - len(inside)
        return np.concatenate([inside, sample_within(self.space, self.budgets, self.rng, lost)]) if lost else inside


class _NeitherTwinsNorObserved(DefaultDuplicateElimination):  # type: ignore[misc]
    """Leaves out twins, and `observed` genotypes."""

    def __init__(self) -> None:
        super().__init__()
        self.observed: set[bytes] = set()

    def do(self, pop: Any, *args: Any, **kwargs: Any) -> Any:
        new = super().do(pop, *args, **kwargs)
        if not self.observed or not len(new):
            return new
        return new[[key not in self.observed for key in keys_of(_genotypes(new))]]


class NSGA2Strategy(SearchStrategy):
    """A population that evolves towards the front, all of it inside the budgets; without latency, by accuracy alone.

    `warm_start` genotypes, as many as there is room for, join the first generation. What it observes inside the budgets
    takes the place of random networks in the first generation; later it joins the population at the next `update`.
    Below the problem's `fast_enough_ms` networks count as equally fast: under a budget that crowds the population where
    the most accurate networks are, at the price of the fast end of the front. A network that has left the population
    may be suggested again; one that was observed is not.
    """

    def __init__(self, problem: Problem, *, seed: int = 0, warm_start: Population | None = None, population: int = 100):
        self.problem, self.population = problem, population
        self._memory = Memory(problem, seed)
        space, budgets, rng = problem.space, problem.budgets, self._memory.rng
        self._random = sample_within(space, budgets, rng, population)
        self._warm = self._memory.warm_started(warm_start)
        self._twins = _NeitherTwinsNorObserved()
        self._pymoo = PymooProblem(
            n_var=len(space.cardinalities), n_obj=2, xl=0, xu=np.array(space.cardinalities) - 1, vtype=int
        )
        self._algorithm = NSGA2(
            pop_size=population,
            crossover=UniformCrossover(),
            mutation=_GeneMutation(space),
            repair=_IntoBudgets(problem, rng),
            eliminate_duplicates=self._twins,
        )
        self._algorithm.mating.n_max_iterations = _MATINGS
        self._algorithm.setup(self._pymoo, seed=seed, verbose=False, termination=("n_gen", 10**9))
        self._asked: Any = None
        self._joining: list[Evaluated] = []

    def suggest(self) -> Population:
        """The next generation, canonical; once it has no new offspring, random networks not seen before."""
        if not self._algorithm.is_initialized:
            self._algorithm.initialization.sampling = self._first()
        self._asked = self._algorithm.ask()
        return self._memory.random_new(self.population) if self._asked is None else _genotypes(self._asked)

    def _first(self) -> Population:
        """The first generation, less what was observed; at least the warm start, or one network."""
        room = self.population - sum(map(len, self._joining))
        new = self._memory.new(np.concatenate([self._warm, self._random]))
        first: Population = new[: min(self.population, max(room, len(self._warm), 1))]
        return first if len(first) else self._memory.random_new(1)

    def update(self, evaluated: Evaluated) -> None:
        """Tell pymoo what the generation turned out to be, and what was observed meanwhile."""
        self._memory.add(evaluated)
        if self._asked is None:
            return
        told = self._answered(self._asked, evaluated)
        if self._joining:
            joining = concat(self._joining)
            others = self._answered(Individuals.new(X=joining.population), joining)
            told = DefaultDuplicateElimination().do(Individuals.merge(told, others))
            self._joining = []
        self._algorithm.tell(infills=told)

    def _answered(self, individuals: Any, evaluated: Evaluated) -> Any:
        ms = np.maximum(np.nan_to_num(evaluated.upper_ms), self.problem.fast_enough_ms)
        objectives = np.column_stack([-evaluated.accuracy, ms])
        Evaluator().eval(StaticProblem(self._pymoo, F=objectives), individuals)
        return individuals

    def observe(self, evaluated: Evaluated) -> None:
        """What is new and inside the budgets joins the population; nothing of it is suggested."""
        new = self._memory.add(evaluated)
        self._joining.append(self.problem.inside(new))
        self._twins.observed.update(keys_of(new.population))


def _genotypes(individuals: Any) -> Population:
    population: Population = np.ascontiguousarray(individuals.get("X"), dtype=np.int64)
    return population
