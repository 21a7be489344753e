"""Which kit on which board a folder of results is of: what lets a second call take up the first one's work."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from latency_tables import HwnasError
from latency_tables.storage.files import write_json
from latency_tables.storage.serialise import from_plain, parse_json
from profilers.boards.ssh_login import Address

_FILE = "job.json"


@dataclass(frozen=True)
class Job:
    """`job.json`: the kit and the board that a results folder is of, and its name on the board."""

    kit: str
    board: str
    name: str

    def write(self, results: Path) -> None:
        """Note it in `results`."""
        write_json(results / _FILE, asdict(self))

    @classmethod
    def of(cls, results: Path, kit: str, address: Address) -> Job:
        """The job that `results` has begun, or a new one; raises `HwnasError` when it is another kit's or board's."""
        path, board = results / _FILE, f"{address.name}:{address.port or ''}/{address.folder}"
        try:
            job = from_plain(cls, parse_json(path.read_bytes()))
        except FileNotFoundError:
            return cls(kit, board, f"results-{uuid.uuid4().hex[:12]}")
        except OSError as e:
            raise HwnasError(f"cannot read {path}: {e.strerror}; choose another --out") from None
        except ValueError:
            raise HwnasError(f"{path} is damaged; choose another --out") from None
        if (job.kit, job.board) != (kit, board):
            raise HwnasError(
                f"{results} holds measurements of another kit or board ({job.board}); choose another --out"
            )
        return job
