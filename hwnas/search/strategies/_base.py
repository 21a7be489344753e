"""Ask / tell: what every search strategy does."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hwnas.search.evaluated import Evaluated
from hwnas.spaces import Population
from latency_tables import HwnasError


class SpaceExhausted(HwnasError):
    """Every network that keeps the budgets has been suggested or observed."""


class SearchStrategy(ABC):
    """Proposes genotypes and learns from what they turn out to be.

    Made as `Strategy(problem, *, seed=0, warm_start=None, ...)`: the `Problem` gives it the space and the budgets,
    which every suggestion keeps. Genotypes of a `warm_start` [n, genes] are brought inside the budgets and suggested
    first. `hwnas.search.contract.check_strategy` tests all of this on any strategy.
    """

    @abstractmethod
    def suggest(self) -> Population:
        """The next genotypes to evaluate, canonical, [n, genes], n >= 1; raises `SpaceExhausted` when none is left."""

    @abstractmethod
    def update(self, evaluated: Evaluated) -> None:
        """Learn from the evaluation of the last suggestion, in the same order."""

    @abstractmethod
    def observe(self, evaluated: Evaluated) -> None:
        """Learn from data that it did not ask for, such as known pairs or another search, at any time.

        They may be outside the budgets. They are not suggested any more, unless the strategy says otherwise.
        """
