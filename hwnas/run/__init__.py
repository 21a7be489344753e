"""The main job, stage by stage, in a run folder."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnas.run.folder import Display, RunFolder
    from hwnas.run.outcome import Outcome
    from hwnas.run.run import Run
    from hwnas.run.settings import Settings

__all__ = ["Display", "Outcome", "Run", "RunFolder", "Settings"]

_HOMES = {"Display": "folder", "Outcome": "outcome", "Run": "run", "RunFolder": "folder", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    """Import late: what only reads or checks settings needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
