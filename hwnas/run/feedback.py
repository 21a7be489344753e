"""The feedback loop: search, ask the device, and search again with what it said, as long as it contradicts."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.export import Export
from deploy.verify import Verification
from hwnas.run.branches import Branches
from hwnas.run.folder import Display
from hwnas.run.profiling import Correction
from hwnas.run.search import Candidate, Choice
from hwnas.search import InfeasibleBudget

ATTEMPTS = 3

Attempt = tuple[Candidate, Verification]
"""A winner, and what the device said of it."""


@dataclass(frozen=True)
class Outcome:
    """The last attempt: what won, what the search had found, what was shipped, what the device said; all attempts."""

    winner: Candidate
    choice: Choice
    export: Export
    verification: Verification
    attempts: tuple[Attempt, ...]


class Feedback:
    """Ask for the next winner, tell what the device said of it. At most `ATTEMPTS` times."""

    def __init__(self, branches: Branches, display: Display):
        self._branches, self._say = branches, display.say
        self._corrections = {precision: list[Correction]() for precision in branches.by_precision}

    def ask(self) -> tuple[Choice, Candidate]:
        """The next search, and its finalist that validation likes best once trained."""
        choice = self._branches.choose(self._corrections)
        return choice, self._branches.best(self._branches.finalists(choice))

    def tell(self, winner: Candidate, verification: Verification) -> bool:
        """Whether to ask again: the device contradicted, and some network may still be fast enough."""
        if verification.verified:
            return False
        self._corrections[winner.precision].append((winner.arch, verification.measured_ms))
        if sum(map(len, self._corrections.values())) == ATTEMPTS:
            return False
        try:
            self._branches.feasible(self._corrections)
        except InfeasibleBudget as e:
            self._say(f"corrected by what the device said, {e}")
            return False
        self._say("the latency model is recalibrated with what the device said, and the search runs again")
        return True
