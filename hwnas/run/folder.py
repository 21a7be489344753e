"""The run folder: whose it is, which stages are done, and whether what they wrote is still whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from hwnas.run.settings import Settings
from hwnas.run.stage import Record, Result, Stage, read_record
from latency_tables import HwnasError
from latency_tables.progress import Progress, silent
from latency_tables.storage.locks import open_locked
from latency_tables.storage.signed import read_signed, write_signed

SETTINGS_FILE, _LOCK, _STAGES = "run.json", ".lock", "stages"


class Display(Protocol):
    """Whoever watches a run."""

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        """Announce a stage; the context gives its progress callback."""
        return nullcontext(silent)

    def say(self, text: str) -> None:
        """One line worth knowing."""
        return


class SilentDisplay(Display):
    """Nobody watches."""


@dataclass(frozen=True)
class _Part(Display):
    """A display that is told which part of a run every stage and line is about."""

    whole: Display
    name: str

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        return self.whole.stage(f"{self.name}: {title}")

    def say(self, text: str) -> None:
        self.whole.say(f"{self.name}: {text}")


class RunFolder:
    """One run on disk, locked until `close()`.

    Raises `HwnasError` when the folder is of another run, in use, or cannot be written. The settings are for this
    object; `store` makes them those of the folder. `whole` is the run's folder, where this is a part of it.
    """

    def __init__(self, path: Path, settings: Settings, display: Display | None = None):
        self.path, self.settings = path, settings
        self.display: Display = display or SilentDisplay()
        self.done: dict[str, tuple[Stage, Record]] = {}
        self.whole, self._parts = self, list[RunFolder]()
        self._require_same_run()
        try:
            self._lock = open_locked(path / _LOCK)
        except BlockingIOError:
            raise HwnasError(f"another process is working in {path}; wait for it or stop it") from None
        except OSError as e:
            raise HwnasError(f"cannot write to {path}: {e.strerror}; choose another --out") from None

    def part(self, name: str, settings: Settings) -> RunFolder:
        """A folder in this one with stages of its own, under settings of its own and the same lock."""
        part = copy(self)
        part.path, part.settings, part.done, part._parts = self.path / name, settings, {}, []
        part.display = _Part(self.display, name)
        self._parts.append(part)
        return part

    @staticmethod
    def settings_of(path: Path) -> Settings:
        """The stored settings of a run; raises `HwnasError` when there are none, or they were edited or damaged."""
        file = path / SETTINGS_FILE
        try:
            return Settings.from_plain(read_signed(file))
        except FileNotFoundError:
            raise HwnasError(f"{path} holds no run to resume; start one without --resume") from None
        except (OSError, ValueError) as e:
            raise HwnasError(f"{file} was edited or damaged ({e}); give `hwnas run` all its options again") from None

    def store(self) -> None:
        """Make these settings the folder's own: what `--resume` and other verbs start from."""
        write_signed(self.path / SETTINGS_FILE, asdict(self.settings))

    def _require_same_run(self) -> None:
        begun = any((self.path / _STAGES).glob("*.json"))
        if not (self.path / SETTINGS_FILE).exists():
            if not begun and self._foreign():
                raise HwnasError(f"{self.path} exists and is not a run folder; choose another --out")
        elif begun:  # before its first stage is done a run may still change its mind
            try:
                before, now = self.settings_of(self.path).defining, self.settings.defining
            except HwnasError:
                self.display.say(f"{self.path / SETTINGS_FILE} was edited or damaged; the options given now count")
                return
            if different := [f"{k} is {before[k]!r}, not {now[k]!r}" for k in now if before[k] != now[k]]:
                raise HwnasError(f"{self.path} holds another run ({'; '.join(different)}); choose another --out")

    def _foreign(self) -> bool:
        """Whether there is something here that a run did not leave behind in its first moment."""
        if not self.path.is_dir():
            return self.path.exists()
        return any(p.name != _LOCK and not p.name.startswith(f".{SETTINGS_FILE}.") for p in self.path.iterdir())

    def close(self) -> None:
        """Unlock the folder."""
        self._lock.close()

    def do(self, stage: Stage, work: Callable[[Progress], Result]) -> Result:
        """The stored result of a stage that was done for these inputs and is whole; else do the work and store it."""
        if (known := self._known(stage)) is not None:
            return dict(known.result)
        record, complaint = self._look_up(stage)
        if record is not None:
            self.display.say(f"{stage.title}: already done")
            self.done[stage.name] = stage, record
            return dict(record.result)
        if complaint:
            self.display.say(f"{stage.title}: {complaint}, so it is done again")
        if not (self.whole.path / SETTINGS_FILE).exists():
            self.whole.store()  # from here on there is a run to resume
        started = time.monotonic()
        with self.display.stage(stage.title) as progress:
            result = work(progress)
        return self.record(stage, time.monotonic() - started, result)

    def record(self, stage: Stage, seconds: float, result: Result) -> Result:
        """Store that a stage is done, and give its result; for work that was not done by `do` itself."""
        record = stage.record(self.path, seconds, result)
        write_signed(self._file(stage), asdict(record))
        self.done[stage.name] = stage, record
        return dict(record.result)

    def find(self, stage: Stage) -> Result | None:
        """The result of a stage that was done for these inputs and is whole, without doing it; None when it was not."""
        record = self._known(stage) or self._look_up(stage)[0]
        return None if record is None else dict(record.result)

    def seconds_by_kind(self) -> dict[str, float]:
        """Seconds of every kind of stage of the whole run, in the order they were asked for."""
        total: dict[str, float] = {}
        for folder in (self.whole, *self.whole._parts):
            for _, record in folder.done.values():
                total[record.kind] = round(total.get(record.kind, 0.0) + record.seconds, 2)
        return total

    def _known(self, stage: Stage) -> Record | None:
        """What this process already knows of a stage."""
        before, record = self.done.get(stage.name, (None, None))
        return record if before is not None and before.inputs_sha256 == stage.inputs_sha256 else None

    def _look_up(self, stage: Stage) -> tuple[Record | None, str]:
        """The record that holds for a stage, or None and what is wrong; nothing where it was simply not done."""
        try:
            record = read_record(self._file(stage))
        except FileNotFoundError:
            return None, ""
        except (OSError, ValueError) as e:
            return None, f"its record was edited or damaged ({e})"
        if (record.kind, record.inputs) != (stage.kind, stage.inputs_sha256):
            return None, ""
        return (record, "") if stage.is_whole(record, self.path) else (None, "what it wrote is gone or damaged")

    def _file(self, stage: Stage) -> Path:
        return self.path / _STAGES / f"{stage.name}.json"
