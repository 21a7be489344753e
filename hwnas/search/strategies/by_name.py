"""From a name on the command line to a strategy that asks for one expensive answer at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from hwnas.search.budget import Budget
from hwnas.search.problem import SearchStrategy
from hwnas.search.strategies.bananas import BananasStrategy
from hwnas.search.strategies.bayesian import BayesianStrategy
from hwnas.search.strategies.evolution import EvolutionStrategy
from hwnas.search.strategies.local_search import LocalSearchStrategy
from hwnas.search.strategies.pnas import PNASStrategy
from hwnas.search.strategies.prednas import PredNASStrategy
from hwnas.search.strategies.random import RandomStrategy
from hwnas.search.strategies.weaknas import WeakNASStrategy
from hwnas.spaces import Population, SearchSpace
from latency_tables import HwnasError

STRATEGIES: dict[str, Callable[..., SearchStrategy]] = {
    "prednas": PredNASStrategy,
    "weaknas": WeakNASStrategy,
    "bananas": BananasStrategy,
    "gp-ucb": BayesianStrategy,
    "evolution": EvolutionStrategy,
    "local": LocalSearchStrategy,
    "pnas": PNASStrategy,
    "random": partial(RandomStrategy, batch=1),
}


def make_strategy(
    name: str, space: SearchSpace, seed: int, budgets: Sequence[Budget] = (), warm_start: Population | None = None
) -> SearchStrategy:
    """A strategy with its own defaults; raises `HwnasError` naming them all for an unknown one."""
    if name not in STRATEGIES:
        raise HwnasError(f"unknown strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name](space, seed, budgets=budgets, warm_start=warm_start)
