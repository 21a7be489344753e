"""Peak memory of a piece of work, as Linux counts it for the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def peak_memory_mb(work: Callable[[], object]) -> float | None:
    """How far the process's resident memory grew above where it was while `work` ran, in MB; None where unreadable.

    Memory that earlier work gave back to the allocator but not to the system hides growth, so a figure to compare
    comes from a process of its own. Memory on a GPU is not in it.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from the present size: proc(5)
        before = _status_mb("VmRSS")
    except (OSError, KeyError):
        return None
    work()
    return max(0.0, _status_mb("VmHWM") - before)


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields[name].split()[0]) * 1024 / 1e6
