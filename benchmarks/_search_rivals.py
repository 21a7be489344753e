"""Others' searches as they are, for the most accurate network under milliseconds; each asks the same `Asked`.

The `ofa` package's EvolutionFinder (Cai et al. 2020) at its own settings, pymoo's NSGA-II on integers, optuna's
NSGA-II and TPE on categories, both with the budget as a constraint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._ofa_package import OfaTwin
from hwnas.accuracy import AccuracyEstimator
from hwnas.spaces import Population

Floats = NDArray[np.float64]


class Asked:
    """Predicted accuracies under a budget, and what the best was after how many evaluations and seconds."""

    def __init__(self, twin: OfaTwin, predictor: AccuracyEstimator, budget_ms: float):
        self.twin, self.predictor, self.budget_ms = twin, predictor, budget_ms
        self.evaluations, self.seconds, self._start = 0, 0.0, time.perf_counter()
        self.trace: list[tuple[int, float, float]] = []

    @property
    def best(self) -> float:
        """The most accurate within the budget so far."""
        return self.trace[-1][2] if self.trace else -np.inf

    def __call__(self, population: Population) -> Floats:
        """Predicted accuracies [n] of genotypes [n, genes]."""
        accuracy = self.predictor.estimate(population).mean
        self.evaluations += len(population)
        best = accuracy.max(where=self.twin.ms(population) <= self.budget_ms, initial=-np.inf)
        if best > self.best:
            self.trace.append((self.evaluations, time.perf_counter() - self._start, float(best)))
        return accuracy

    def at(self, evaluations: float = np.inf, seconds: float = np.inf) -> float:
        """The best after so many evaluations and seconds."""
        return max((best for n, s, best in self.trace if n <= evaluations and s <= seconds), default=-np.inf)

    def seconds_to(self, accuracy: float) -> float:
        """When something as accurate was found; infinite where it was not."""
        return next((s for _, s, best in self.trace if best >= accuracy - 1e-9), np.inf)


Rival = Callable[[Asked, int, int], None]
"""Searches with a seed for about so many evaluations."""


def ofa_evolution(asked: Asked, seed: int, evaluations: int) -> None:
    """EvolutionFinder, 100 networks a generation."""
    asked.twin.evolve(asked.budget_ms, seed, evaluations // 100, asked)


def pymoo_nsga2(asked: Asked, seed: int, evaluations: int) -> None:
    """NSGA-II of accuracy and milliseconds, 100 networks a generation, with pymoo's own recipe for integers."""
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    space, ms = asked.twin.space, asked.twin.ms

    class Networks(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            highest = np.array(space.cardinalities) - 1
            super().__init__(n_var=len(highest), n_obj=2, n_ieq_constr=1, xl=0, xu=highest, vtype=int)

        def _evaluate(self, x: Any, out: Any, *args: Any, **kwargs: Any) -> None:
            archs = space.canonical(x.astype(np.int64))
            costs = ms(archs)
            out["F"] = np.column_stack([-asked(archs), costs])
            out["G"] = (costs - asked.budget_ms)[:, None]

    operators: dict[str, Any] = {
        "sampling": IntegerRandomSampling(),
        "crossover": SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        "mutation": PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
    }
    algorithm = NSGA2(pop_size=100, eliminate_duplicates=True, **operators)
    minimize(Networks(), algorithm, ("n_eval", evaluations), seed=seed, verbose=False)


def optuna_nsga2(asked: Asked, seed: int, evaluations: int) -> None:
    """optuna's NSGA-II, one network at a time."""
    _optuna("NSGAIISampler", asked, seed, evaluations)


def optuna_tpe(asked: Asked, seed: int, evaluations: int) -> None:
    """optuna's tree-structured Parzen estimator, one network at a time."""
    _optuna("TPESampler", asked, seed, evaluations)


def _optuna(sampler: str, asked: Asked, seed: int, evaluations: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = asked.twin.space

    def accuracy(trial: Any) -> float:
        genes = [trial.suggest_categorical(f"gene {g}", range(n)) for g, n in enumerate(space.cardinalities)]
        arch = space.canonical(np.array([genes]))
        trial.set_constraint("over budget", float(asked.twin.ms(arch)[0]) - asked.budget_ms)
        return float(asked(arch)[0])

    study = optuna.create_study(direction="maximize", sampler=getattr(optuna.samplers, sampler)(seed=seed))
    study.optimize(accuracy, n_trials=evaluations)
