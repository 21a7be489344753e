"""From a name on the command line to a strategy with its own defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy
from hwnas.spaces import Population
from latency_tables import HwnasError

if TYPE_CHECKING:
    from hwnas.search.differentiable import Distribution


@dataclass(frozen=True)
class StrategyEntry:
    """A strategy of this package, imported when it is made, and how many evaluations it is made for.

    One that takes thousands is given a cheap accuracy, such as a predictor's; one that takes few, the expensive one.
    One that learns a `table` needs no answers but those it was made from: other budgets are searched without any.
    In a run that `evolves`, it searches the part of a space that rounds of NSE left. In a run that `learns` a kind of
    `hwnas.search.differentiable`, the supernet learns with it; elsewhere few answers teach it.
    """

    module: str
    name: str
    evaluations: Literal["few", "thousands"]
    options: Mapping[str, Any] = field(default_factory=dict)
    table: bool = False
    evolves: bool = False
    learns: str | None = None

    @property
    def make(self) -> Callable[..., SearchStrategy]:
        """Called with a problem and keywords it gives the strategy."""
        kind = getattr(import_module(f"hwnas.search.strategies.{self.module}"), self.name)
        return partial(kind, **self.options)

    @property
    def distribution(self) -> type[Distribution] | None:
        """The kind that a run learns together with the supernet."""
        return None if self.learns is None else getattr(import_module("hwnas.search.differentiable"), self.learns)


STRATEGIES: Mapping[str, StrategyEntry] = {
    "nsga2": StrategyEntry("nsga2", "NSGA2Strategy", "thousands"),
    "exact": StrategyEntry("exact", "ExactStrategy", "few"),
    "bocs": StrategyEntry("bocs", "BOCSStrategy", "thousands"),
    "prednas": StrategyEntry("prednas", "PredNASStrategy", "few"),
    "weaknas": StrategyEntry("weaknas", "WeakNASStrategy", "few"),
    "gcn-fit": StrategyEntry("gcn_fit", "GCNFitStrategy", "few", table=True),
    "bananas": StrategyEntry("bananas", "BananasStrategy", "few"),
    "softmax": StrategyEntry("distribution", "SoftmaxStrategy", "few"),
    "dirichlet": StrategyEntry("distribution", "DirichletStrategy", "few"),
    "gaussian": StrategyEntry("distribution", "GaussianStrategy", "few"),
    "pruned": StrategyEntry("distribution", "PrunedStrategy", "few"),
    "drnas": StrategyEntry("distribution", "DirichletStrategy", "few", learns="DirichletDistribution"),
    "balenas": StrategyEntry("distribution", "GaussianStrategy", "few", learns="GaussianDistribution"),
    "ddpnas": StrategyEntry("distribution", "PrunedStrategy", "few", learns="PrunedDistribution"),
    "da2s": StrategyEntry("distribution", "SoftmaxStrategy", "few", learns="AnnealedDistribution"),
    "nse": StrategyEntry("nsga2", "NSGA2Strategy", "thousands", evolves=True),
    "gp-ucb": StrategyEntry("bayesian", "BayesianStrategy", "few"),
    "evolution": StrategyEntry("evolution", "EvolutionStrategy", "few"),
    "local": StrategyEntry("local_search", "LocalSearchStrategy", "few"),
    "pnas": StrategyEntry("pnas", "PNASStrategy", "few"),
    "random": StrategyEntry("random", "RandomStrategy", "few", {"batch": 1}),
}


def make_strategy(
    name: str, problem: Problem, *, seed: int = 0, warm_start: Population | None = None, **options: Any
) -> SearchStrategy:
    """A strategy by its name, with its own defaults for all but `options`; raises `HwnasError` for an unknown name."""
    if name not in STRATEGIES:
        raise HwnasError(f"unknown strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name].make(problem, seed=seed, warm_start=warm_start, **options)
