"""Another process that takes half of the machine, in bursts: what a shared device does to a measurement."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

BURST_S = 0.25


def _burn() -> None:
    """Busy for a burst, idle for a burst, until it is stopped."""
    while True:
        until = time.monotonic() + BURST_S
        while time.monotonic() < until:
            sum(range(1000))
        time.sleep(BURST_S)


@contextmanager
def bursts(processes: int) -> Iterator[None]:
    """That many burning processes for the length of a block."""
    context = multiprocessing.get_context("spawn")
    burning = [context.Process(target=_burn, daemon=True) for _ in range(processes)]
    for process in burning:
        process.start()
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.join()
