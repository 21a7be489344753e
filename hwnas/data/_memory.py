"""How much memory this process may use, and giving back what it does not."""

import contextlib
import ctypes
from pathlib import Path

import psutil

_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


def memory_bytes(limit: Path = _LIMIT) -> int:
    """The machine's memory, or the container's where that is less: what is free changes from run to run."""
    total = int(psutil.virtual_memory().total)
    try:
        text = limit.read_text().strip()
    except OSError:
        return total
    return min(total, int(text)) if text.isdigit() else total


def return_freed_memory() -> None:
    """Sorting a million labels leaves 30 MB that glibc keeps, and that every decoding process would inherit."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
