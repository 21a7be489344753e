"""From a name on the command line to a strategy with its own defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy
from hwnas.search.strategies.bananas import BananasStrategy
from hwnas.search.strategies.bayesian import BayesianStrategy
from hwnas.search.strategies.bocs import BOCSStrategy
from hwnas.search.strategies.evolution import EvolutionStrategy
from hwnas.search.strategies.exact import ExactStrategy
from hwnas.search.strategies.local_search import LocalSearchStrategy
from hwnas.search.strategies.nsga2 import NSGA2Strategy
from hwnas.search.strategies.pnas import PNASStrategy
from hwnas.search.strategies.prednas import PredNASStrategy
from hwnas.search.strategies.random import RandomStrategy
from hwnas.search.strategies.weaknas import WeakNASStrategy
from hwnas.spaces import Population
from latency_tables import HwnasError


@dataclass(frozen=True)
class StrategyEntry:
    """How a strategy is made, and how many evaluations it is made for.

    One that takes thousands is given a cheap accuracy, such as a predictor's; one that takes few, the dear one itself.
    """

    make: Callable[..., SearchStrategy]
    evaluations: Literal["few", "thousands"]


STRATEGIES: Mapping[str, StrategyEntry] = {
    "nsga2": StrategyEntry(NSGA2Strategy, "thousands"),
    "exact": StrategyEntry(ExactStrategy, "few"),
    "bocs": StrategyEntry(BOCSStrategy, "thousands"),
    "prednas": StrategyEntry(PredNASStrategy, "few"),
    "weaknas": StrategyEntry(WeakNASStrategy, "few"),
    "bananas": StrategyEntry(BananasStrategy, "few"),
    "gp-ucb": StrategyEntry(BayesianStrategy, "few"),
    "evolution": StrategyEntry(EvolutionStrategy, "few"),
    "local": StrategyEntry(LocalSearchStrategy, "few"),
    "pnas": StrategyEntry(PNASStrategy, "few"),
    "random": StrategyEntry(partial(RandomStrategy, batch=1), "few"),
}


def make_strategy(
    name: str, problem: Problem, *, seed: int = 0, warm_start: Population | None = None, **options: Any
) -> SearchStrategy:
    """A strategy by its name, with its own defaults for all but `options`; raises `HwnasError` for an unknown name."""
    if name not in STRATEGIES:
        raise HwnasError(f"unknown strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name].make(problem, seed=seed, warm_start=warm_start, **options)
