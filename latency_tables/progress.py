"""How long work tells whoever started it where it stands."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""


def silent(done: int, total: int, what: str) -> None:
    """Report nothing."""
