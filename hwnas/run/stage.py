"""One stage of a run: what decides it, what it leaves behind, and the record that it was done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from latency_tables.storage.files import digest_json, plain_json, read_file
from latency_tables.storage.signed import read_signed

Result = dict[str, Any]
"""What a stage says of its work: a JSON object."""


@dataclass(frozen=True)
class Stage:
    """A step of a run that is done once for the same inputs.

    `kind` groups stages in the account of seconds, `part` tells several of a kind apart. `inputs` is any JSON object.
    `outputs` are the files that the work leaves behind; `intact` checks those that a later stage adds to.
    """

    kind: str
    title: str
    inputs: Mapping[str, Any]
    outputs: tuple[Path, ...] = ()
    part: str = ""
    intact: Callable[[], bool] = lambda: True

    @property
    def name(self) -> str:
        """The name of its record."""
        return f"{self.kind}-{self.part}" if self.part else self.kind

    @cached_property
    def inputs_sha256(self) -> str:
        """Identifies the inputs."""
        return digest_json(plain_json(self.inputs))

    def record(self, folder: Path, seconds: float, result: Result) -> Record:
        """That it was done just now, in so many seconds."""
        outputs = self._outputs_sha256(folder)
        return Record(self.kind, self.inputs_sha256, outputs, round(seconds, 3), plain_json(result))

    def is_whole(self, record: Record, folder: Path) -> bool:
        """Whether everything that it wrote is there as it was."""
        return record.outputs == self._outputs_sha256(folder) and self.intact()

    def _outputs_sha256(self, folder: Path) -> dict[str, str | None]:
        return {str(path.relative_to(folder)): _file_sha256(path) for path in self.outputs}


@dataclass(frozen=True)
class Record:
    """That a stage was done: SHA-256 of its inputs and of each output, seconds, and what it said."""

    kind: str
    inputs: str
    outputs: dict[str, str | None]
    seconds: float
    result: Result


def read_record(path: Path) -> Record:
    """A record in a file of its own; raises OSError where there is none, ValueError when it was edited or damaged."""
    try:
        return Record(**read_signed(path))
    except TypeError:
        raise ValueError("it is of another version") from None


def _file_sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except OSError:
        return None
