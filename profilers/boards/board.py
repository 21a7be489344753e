"""A board behind ssh as a device: each plan goes there as a kit, and its journal comes back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from latency_tables import HwnasError, Measurement, Target
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import write_atomically
from profilers._base import Int8Form, RuntimeSetting
from profilers.boards.kit import BoardRecord, Part, pack_kit
from profilers.boards.results import read_record, whole_visits
from profilers.boards.ssh import Patience, measure_over_ssh
from profilers.boards.ssh_login import Address, Login
from profilers.plan import Plan
from profilers.protocol import Protocol
from profilers.where import Device


@dataclass(frozen=True)
class Reach:
    """Where a board is and how to get in, which runtime measures there, and who hears of lost connections."""

    address: Address
    login: Login
    setting: RuntimeSetting
    say: Callable[[str], None] = lambda line: None
    patience: Patience | None = None

    def run(
        self,
        parts: dict[str, Part],
        folder: Path,
        progress: Progress = silent,
        known: bool = False,
        take: Callable[[Path], None] = lambda results: None,
    ) -> Path:
        """The results of a kit of `parts`, in a folder below `folder`; a kit that was begun there is gone on with.

        `take` is called with them before they are deleted on the board. Raises `HwnasError`, see `measure_over_ssh`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        kit = folder / "kit.pyz"
        pack_kit(parts, self.setting, kit)
        with open(kit, "rb") as file:
            results = folder / hashlib.file_digest(file, "sha256").hexdigest()[:12]
        measure_over_ssh(
            kit,
            self.address,
            results,
            login=self.login,
            progress=progress,
            say=self.say,
            patience=self.patience,
            known=known,
            take=lambda: take(results),
        )
        kit.unlink()
        return results


@dataclass(frozen=True)
class BoardFacts:
    """What a board said of itself, and of its runtime."""

    target: Target
    int8_form: str
    quick_to_start: bool


def ask_board(reach: Reach, folder: Path, progress: Progress = silent) -> BoardFacts:
    """Let a kit without plans say what the board is; `folder` is for the files of one question.

    Raises `HwnasError` in one line when the board cannot be reached, or lacks python3, numpy or the runtime.
    """
    record = read_record(reach.run({}, folder, progress))
    return BoardFacts(record.target, record.int8_form, record.quick_to_start)


@dataclass(frozen=True)
class Board(Device):
    """A device elsewhere, which said before what it is."""

    reach: Reach
    facts: BoardFacts

    def target(self) -> Target:
        """What it said when it was asked."""
        return self.facts.target

    @property
    def int8_form(self) -> Int8Form:
        """What it said when it was asked."""
        return cast(Int8Form, self.facts.int8_form)

    def measure(
        self, plan: Plan, journal: Path, protocol: Protocol, progress: Progress = silent, fresh: bool = False
    ) -> list[Measurement]:
        """As a kit, by ssh. `journal` is the board's, and is here when all is measured."""
        part = Part(plan, protocol, fresh or self.facts.quick_to_start)

        def take(results: Path) -> None:
            self._require_same(read_record(results))
            write_atomically(journal, (results / f"{part.name}.jsonl").read_bytes())

        visits = whole_visits(journal, plan, self.target(), protocol)
        if visits is None:
            self.reach.run({part.name: part}, journal.with_suffix(""), progress, True, take)
            visits = whole_visits(journal, plan, self.target(), protocol)
        if visits is None:
            raise HwnasError(f"{journal} came damaged from {self.reach.address.name}; start again")
        return visits

    def _require_same(self, record: BoardRecord) -> None:
        if wrong := self.target().mismatches(record.target):
            raise HwnasError(
                f"{self.reach.address.name} is no longer the device that this run began with: {'; '.join(wrong)}; "
                "start another run with another --out"
            )
