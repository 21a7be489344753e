"""Who measures into a folder, and how that ended: one small file that is a lock as well."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from latency_tables import HwnasError
from latency_tables.storage.locks import is_locked, open_locked
from latency_tables.storage.serialise import from_plain, parse_json

_FILE = "status.json"
_SIZE, _LONGEST = 4096, 300
RUNNING, FINISHED, FAILED = "running", "finished", "failed"


@dataclass(frozen=True)
class Status:
    """RUNNING, FINISHED, or FAILED and why. RUNNING without a lock: it was killed."""

    state: str
    said: str = ""


class Claim:
    """The only one that measures into `folder`, until it is closed or its process ends. Use as a context manager.

    Raises `HwnasError` when another process is at it, or the folder cannot be written.
    """

    def __init__(self, folder: Path):
        try:
            self._file = open_locked(folder / _FILE)
        except BlockingIOError:
            raise HwnasError(
                f"another process is measuring into {folder}; wait for it, or choose another folder with --out"
            ) from None
        except OSError as e:
            raise HwnasError(f"cannot write into {folder}: {e.strerror}") from None
        try:
            self.say(Status(RUNNING))
        except OSError as e:
            self._file.close()
            raise HwnasError(f"cannot write into {folder}: {e.strerror}") from None

    def say(self, status: Status) -> None:
        """Write how it stands over what was there, in place and of one size: that needs no space on a full disk."""
        said = status.said[:_LONGEST].encode(errors="replace").decode()
        os.pwrite(self._file.fileno(), json.dumps(asdict(Status(status.state, said))).encode().ljust(_SIZE), 0)

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()


def is_claimed(folder: Path) -> bool:
    """Whether some process is measuring into `folder`."""
    return is_locked(folder / _FILE)


def read_status(folder: Path) -> Status | None:
    """What was last said about `folder`, or None."""
    try:
        return from_plain(Status, parse_json((folder / _FILE).read_bytes()))
    except (OSError, ValueError):
        return None
