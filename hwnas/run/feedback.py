"""The feedback loop: search, ask the device, and search again with what it said, as long as it contradicts."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.export import Export
from deploy.verify import Verification
from hwnas.run.deployment import Deployment
from hwnas.run.profiling import Correction
from hwnas.run.search import Candidate, Choice, SearchStage
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

    def __init__(self, search: SearchStage, deployment: Deployment):
        self._search, self._deployment, self._say = search, deployment, search.folder.display.say
        self._corrections: list[Correction] = []

    def ask(self) -> tuple[Choice, Candidate]:
        """The next search, and its finalist that validation likes best once trained."""
        choice = self._search.choose(self._corrections)
        return choice, choice.finalists[self._deployment.best([c.arch for c in choice.finalists])]

    def tell(self, winner: Candidate, verification: Verification) -> bool:
        """Whether to ask again: the device contradicted, and some network may still be fast enough."""
        if verification.verified:
            return False
        self._corrections.append((winner.arch, verification.measured_ms))
        if len(self._corrections) == ATTEMPTS:
            return False
        try:
            self._search.require_feasible(self._corrections)
        except InfeasibleBudget as e:
            self._say(f"corrected by what the device said, {e}")
            return False
        self._say("the latency model is recalibrated with what the device said, and the search runs again")
        return True
