"""The loop that every search has: limits, Ctrl-C, a journal to go on from, and no network evaluated twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from time import monotonic
from typing import Any, Literal

import numpy as np

from hwnas.search.problem import Evaluated, Problem, SearchStrategy, SpaceExhausted, concat
from hwnas.spaces import Population
from latency_tables import Journal
from latency_tables.progress import Progress, silent

Stopped = Literal["evaluations", "time", "exhausted", "interrupted"]

_ANSWER = ("accuracy", "std", "ms", "upper_ms")


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

    Raises, where nothing was seen yet, `SpaceExhausted` and KeyboardInterrupt; `InfeasibleBudget` from the strategy.
    """
    answers, count, began = _Answers(problem, journal), 0, monotonic()
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
    """What this search was answered, each distinct network once; `recorded`: what its journal knows besides."""

    def __init__(self, problem: Problem, journal: Journal | None):
        self.problem, self.journal = problem, journal
        self.recorded = {record["arch"]: record for record in journal or ()}
        self.seen: dict[bytes, Evaluated] = {}

    def to(self, population: Population) -> Evaluated:
        """The answers to canonical genotypes [n, genes], in their order."""
        keys = [arch.tobytes() for arch in np.ascontiguousarray(population)]
        new: dict[bytes, int] = {}  # and where it comes first
        for i, key in enumerate(keys):
            if key not in self.seen:
                new.setdefault(key, i)
        if self.journal is not None:
            for key, i in new.items():
                self.seen[key] = self._journalled(self.journal, population[i][None])
        elif new:
            evaluated = self.problem.evaluate(population[list(new.values())])
            self.seen.update((key, evaluated[np.array([row])]) for row, key in enumerate(new))
        return concat([self.seen[key] for key in keys])

    def _journalled(self, journal: Journal, arch: Population) -> Evaluated:
        """As recorded, also where it was recorded just now: both runs of a search see the same numbers."""
        text = self.problem.space.to_text(arch[0])
        if text not in self.recorded:
            evaluated = self.problem.evaluate(arch)
            answer = {name: float(getattr(evaluated, name)[0]) for name in _ANSWER}
            # JSON has no NaN, which the milliseconds of a problem without latency are.
            record = {"arch": text} | {name: v if isfinite(v) else str(v) for name, v in answer.items()}
            journal.append(record)
            self.recorded[text] = record
        return _read(arch, self.recorded[text])

    def searched(self, stopped: Stopped) -> SearchResult:
        return SearchResult(**vars(concat(list(self.seen.values()))), stopped=stopped)


def _read(arch: Population, record: Mapping[str, Any]) -> Evaluated:
    return Evaluated(arch, *(np.array([float(record[name])]) for name in _ANSWER))
