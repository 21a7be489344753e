"""Search strategies: ask / tell, one file each."""

from hwnas.search._base import (
    Evaluated,
    InfeasibleBudget,
    Problem,
    SearchStrategy,
    fastest,
    require_feasible,
    search,
)
from hwnas.search.nsga2 import NSGA2Strategy
from hwnas.search.random import RandomStrategy

__all__ = [
    "Evaluated",
    "InfeasibleBudget",
    "NSGA2Strategy",
    "Problem",
    "RandomStrategy",
    "SearchStrategy",
    "fastest",
    "require_feasible",
    "search",
]
