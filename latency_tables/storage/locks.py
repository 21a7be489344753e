"""Files with one user at a time. The system gives a lock back when its process ends, however that ends."""

from __future__ import annotations

import fcntl
import os
from io import FileIO
from pathlib import Path


def open_locked(path: Path) -> FileIO:
    """Open a file for reading and writing, from its start, and lock it until it is closed; created where it is missing.

    Raises `BlockingIOError` while another process has it open like this, `OSError` when it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file


def is_locked(path: Path) -> bool:
    """Whether a process has `path` open through `open_locked`."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
