"""Peak memory of a piece of work, as Linux counts it for the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def peak_memory_mb(work: Callable[[], object]) -> float | None:
    """Does the work; how far the process's resident memory grew above where it was meanwhile, in MB.

    None where that cannot be read. Memory that earlier work gave back to the allocator but not to the system hides
    growth, so a figure to compare comes from a process of its own. Memory on a GPU is not in it.
    """
    before = _forget_peak()
    work()
    return None if before is None else max(0.0, _status_mb("VmHWM") - before)


def _forget_peak() -> float | None:
    """The present size in MB, from which the peak starts again: proc(5); None where that cannot be."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_mb("VmRSS")
    except (OSError, KeyError):
        return None


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields[name].split()[0]) * 1024 / 1e6
