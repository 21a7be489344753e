"""What a run came to."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.export import Export
from deploy.verify import Verification
from hwnas.run.search import Candidate, Choice

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
