"""Search strategies: ask / tell, one file each."""

from hwnas.search.adjust import Adjusted, Utilisation, adjust, hamming_budget, utilisation
from hwnas.search.budget import Budget, InfeasibleBudget
from hwnas.search.evaluated import Evaluated, concat
from hwnas.search.exact.front import ExactFront, exact_front
from hwnas.search.exact.network import ExactAnswer, OutOfTime, best_network, cheapest
from hwnas.search.feasibility import fastest, require_feasible, sample_within
from hwnas.search.fleet import DeviceFront, Fleet
from hwnas.search.loop import SearchResult, best_so_far, search
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy, SpaceExhausted
from hwnas.search.strategies._memory_strategy import MemoryStrategy
from hwnas.search.strategies._predictor_strategy import PredictorStrategy
from hwnas.search.strategies.bananas import BananasStrategy
from hwnas.search.strategies.bayesian import BayesianStrategy
from hwnas.search.strategies.bocs import BOCSStrategy
from hwnas.search.strategies.by_name import STRATEGIES, StrategyEntry, make_strategy
from hwnas.search.strategies.evolution import EvolutionStrategy
from hwnas.search.strategies.exact import ExactStrategy
from hwnas.search.strategies.local_search import LocalSearchStrategy
from hwnas.search.strategies.nsga2 import NSGA2Strategy
from hwnas.search.strategies.pnas import PNASStrategy
from hwnas.search.strategies.prednas import PredNASStrategy
from hwnas.search.strategies.random import RandomStrategy
from hwnas.search.strategies.weaknas import WeakNASStrategy

__all__ = [
    "STRATEGIES",
    "Adjusted",
    "BOCSStrategy",
    "BananasStrategy",
    "BayesianStrategy",
    "Budget",
    "DeviceFront",
    "Evaluated",
    "EvolutionStrategy",
    "ExactAnswer",
    "ExactFront",
    "ExactStrategy",
    "Fleet",
    "InfeasibleBudget",
    "LocalSearchStrategy",
    "MemoryStrategy",
    "NSGA2Strategy",
    "OutOfTime",
    "PNASStrategy",
    "PredNASStrategy",
    "PredictorStrategy",
    "Problem",
    "RandomStrategy",
    "SearchResult",
    "SearchStrategy",
    "SpaceExhausted",
    "StrategyEntry",
    "Utilisation",
    "WeakNASStrategy",
    "adjust",
    "best_network",
    "best_so_far",
    "cheapest",
    "concat",
    "exact_front",
    "fastest",
    "hamming_budget",
    "make_strategy",
    "require_feasible",
    "sample_within",
    "search",
    "utilisation",
]
