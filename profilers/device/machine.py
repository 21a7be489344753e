"""What can be read from this machine without disturbing a measurement."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from profilers.device.conditions import read_text


def cpu_name() -> str:
    """The processor's model name, family and model, with the number of cores it may use here."""
    lines = (read_text(Path("/proc/cpuinfo")) or "").splitlines()
    fields = [(key.strip(), value.strip()) for key, colon, value in (line.partition(":") for line in lines) if colon]
    names = [value for key, value in fields if key.lower() in ("model name", "hardware", "model")]
    name = next((n for n in names if not n.isdigit()), platform.processor() or platform.machine())
    first = dict(reversed(fields))
    # Hypervisors often hide the marketing name, but latencies differ by model.
    model = f" family {first['cpu family']} model {first['model']}" if {"cpu family", "model"} <= first.keys() else ""
    return f"{name}{model} x{os.cpu_count()}"


def versions_here() -> dict[str, str]:
    """What measures here, for provenance."""
    return {"python": platform.python_version(), "numpy": np.__version__, "system": platform.platform()}


@contextlib.contextmanager
def quiet(threads: int) -> Iterator[None]:
    """Measure undisturbed: no garbage collection, pinned to as many cores as threads where the OS allows it."""
    collecting = gc.isenabled()
    affinity: set[int] | None = None
    gc.collect()
    gc.disable()
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        with contextlib.suppress(OSError):
            # The last cores: the first one serves most interrupts.
            os.sched_setaffinity(0, set(sorted(allowed)[-threads:]))
            affinity = allowed
    try:
        yield
    finally:
        if affinity is not None:
            os.sched_setaffinity(0, affinity)
        if collecting:
            gc.enable()
