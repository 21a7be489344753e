"""Wall-clock time of a call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What a call gives, and its wall-clock seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    return timed(work)[1]
