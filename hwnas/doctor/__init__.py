"""What of this machine is fit to measure, and what is installed: one finding per check, with its fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "fix"]


@dataclass(frozen=True)
class Finding:
    """What one check of the machine found: in order, worth knowing, or to be fixed before measuring.

    `fix` is what to do; only a finding of level "ok" has none.
    """

    name: str
    level: Level
    text: str
    fix: str | None = None
