"""What can be read from this machine without disturbing a measurement."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
from collections.abc import Iterator
from pathlib import Path


def cpu_name() -> str:
    """The processor's model name, with the number of cores it may use here."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith(("model name", "hardware", "model\t")) and ":" in line:
                candidate = line.split(":", 1)[1].strip()
                if not candidate.isdigit():
                    name = candidate
                    break
    model = _cpu_model_number()
    return f"{name}{model} x{os.cpu_count()}"


def _cpu_model_number() -> str:
    """Family and model: hypervisors often hide the marketing name, but latencies differ by model."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"cpu family", "model"}:
                found.setdefault(key.strip(), value.strip())
    return f" family {found['cpu family']} model {found['model']}" if len(found) == 2 else ""


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
