"""The loop that every search has: limits, Ctrl-C, a journal to go on from, and no network evaluated twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import Literal

import numpy as np

from hwnas.accuracy import Journaled
from hwnas.search.evaluated import Evaluated, concat
from hwnas.search.problem import Problem
from hwnas.search.strategies._base import SearchStrategy, SpaceExhausted
from hwnas.spaces import Population, unique_genotypes
from hwnas.spaces.genotypes import keys_of
from hwnas.workers import InProcess
from latency_tables import Journal
from latency_tables.progress import Progress, silent

Stopped = Literal["evaluations", "time", "exhausted", "interrupted"]


@dataclass(frozen=True)
class SearchResult(Evaluated):
    """Every distinct network that a search saw, in order of first appearance, and why it stopped.

    "evaluations" and "time" are its limits; "exhausted": no network was left; "interrupted": Ctrl-C.
    """

    stopped: Stopped

    def uninterrupted(self) -> SearchResult:
        """Itself; raises KeyboardInterrupt after Ctrl-C, for callers who have no use for a part of a search."""
        if self.stopped == "interrupted":
            raise KeyboardInterrupt
        return self


def search(
    problem: Problem,
    strategy: SearchStrategy,
    evaluations: int,
    progress: Progress = silent,
    *,
    time_limit_s: float | None = None,
    journal: Journal | None = None,
) -> SearchResult:
    """Ask and tell a strategy until it has had `evaluations` answers or `time_limit_s` is over; what was seen by then.

    The limits are looked at between suggestions, so the last one may go beyond them. Ctrl-C returns what was seen so
    far. A network that is suggested again gets the answer that is known, which counts.

    With a `journal`, networks are evaluated one by one, and each is on the disk before the next begins. After a kill
    the same search with the same journal asks the strategy again from the beginning, with the recorded answers, and
    ends as if nothing had happened; the time limit begins anew. It pays where an evaluation takes longer than a write.
    That is a problem whose accuracy is `Journaled` with workers in this process: for a whole suggestion at a time, give
    one with other workers.

    Raises, where nothing was seen yet, `SpaceExhausted` and KeyboardInterrupt; `InfeasibleBudget` from the strategy;
    with a journal `JobFailed` for a network that cannot be evaluated.
    """
    if journal is not None:
        problem = replace(problem, accuracy=Journaled(problem.space, problem.accuracy, journal, InProcess()))
    answers, count, began = _Answers(problem), 0, monotonic()
    stopped: Stopped = "evaluations"
    best: Evaluated | None = None
    try:
        while True:
            evaluated = answers.to(strategy.suggest())
            strategy.update(evaluated)
            best = problem.best(evaluated if best is None else concat([best, evaluated]))
            count += len(evaluated)
            progress(min(count, evaluations), evaluations, best_so_far(problem, best, len(answers.seen)))
            if count >= evaluations:
                return answers.searched(stopped)
            if time_limit_s is not None and monotonic() - began >= time_limit_s:
                stopped, why = "time", f"the time limit of {time_limit_s:g} s is over"
                break
    except (SpaceExhausted, KeyboardInterrupt) as e:
        if not answers.seen:
            raise
        stopped, why = ("exhausted", str(e)) if isinstance(e, SpaceExhausted) else ("interrupted", "Ctrl-C")
    progress(min(count, evaluations), evaluations, f"stopped after {len(answers.seen)} evaluations: {why}")
    return answers.searched(stopped)


def best_so_far(problem: Problem, best: Evaluated, count: int) -> str:
    """One line on the best of `count` networks, `best` [1], or [0] where none keeps the budgets."""
    if not len(best):
        return f"none of {count} networks keeps the budgets"
    ms = "" if np.isnan(best.ms[0]) else f" at {best.ms[0]:.4g} ms"
    return f"best {best.accuracy[0]:.4f}{ms} of {count} networks: {problem.space.to_text(best.population[0])}"


class _Answers:
    """What this search was answered, each distinct network once."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.seen: dict[bytes, Evaluated] = {}

    def to(self, population: Population) -> Evaluated:
        """The answers to canonical genotypes [n, genes], in their order."""
        keys = keys_of(population)
        new = unique_genotypes(population[[key not in self.seen for key in keys]])
        try:
            self._ask(new)
        except KeyboardInterrupt:
            if isinstance(self.problem.accuracy, Journaled):
                self._ask(self.problem.accuracy.known(new))
            raise
        return concat([self.seen[key] for key in keys])

    def _ask(self, population: Population) -> None:
        if len(population):
            evaluated = self.problem.evaluate(population)
            for row, key in enumerate(keys_of(population)):
                self.seen[key] = evaluated[np.array([row])]

    def searched(self, stopped: Stopped) -> SearchResult:
        return SearchResult(**vars(concat(list(self.seen.values()))), stopped=stopped)
