"""The run folder: which stages are done, for which inputs, and whether what they wrote is still whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from hwnas.run.settings import Settings
from latency_tables import HwnasError
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import digest_json, write_atomically

Result = dict[str, Any]


class Display(Protocol):
    """Whoever watches a run."""

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        """Announce a stage; the context gives its progress callback."""

    def say(self, text: str) -> None:
        """One line worth knowing."""


class SilentDisplay:
    """Nobody watches."""

    def stage(self, title: str) -> AbstractContextManager[Progress]:
        """No announcement."""
        return nullcontext(silent)

    def say(self, text: str) -> None:
        """Nothing."""


class RunFolder:
    """One run on disk. Raises `HwnasError` when the folder is of another run, in use, or cannot be written."""

    def __init__(self, path: Path, settings: Settings, display: Display | None = None):
        self.path, self.settings = path, settings
        self.display: Display = display or SilentDisplay()
        self.seconds: dict[str, float] = {}
        self._done: dict[str, tuple[str, Result]] = {}
        self._claim()

    @staticmethod
    def settings_of(path: Path) -> Settings:
        """The settings of an existing run; raises `HwnasError` when there is none."""
        try:
            return Settings.from_json((path / "run.json").read_bytes())
        except OSError:
            raise HwnasError(f"{path} holds no run to resume; start one without --resume") from None
        except (ValueError, TypeError):
            raise HwnasError(f"{path}/run.json is damaged; give the options again and delete that file") from None

    def _claim(self) -> None:
        existing, begun = self.path / "run.json", any((self.path / "stages").glob("*.json"))
        if existing.exists() and begun:  # before its first stage is done a run may still change its mind
            before, now = self.settings_of(self.path).identity, self.settings.identity
            if different := [f"{k} is {before[k]!r}, not {now[k]!r}" for k in now if before[k] != now[k]]:
                raise HwnasError(f"{self.path} holds another run ({'; '.join(different)}); choose another --out")
        elif not existing.exists() and self._foreign():
            raise HwnasError(f"{self.path} exists and is not a run folder; choose another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / ".lock", "w")  # noqa: SIM115 - held as long as this object
        except OSError as e:
            raise HwnasError(f"cannot write to {self.path}: {e.strerror}; choose another --out") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise HwnasError(f"another process is working in {self.path}; wait for it or stop it") from None
        write_atomically(existing, self.settings.to_json().encode())

    def _foreign(self) -> bool:
        """Whether there is something here that a run did not leave behind in its first moment."""
        if not self.path.is_dir():
            return self.path.exists()
        return any(p.name != ".lock" and not p.name.startswith(".run.json.") for p in self.path.iterdir())

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()

    def stage(
        self,
        name: str,
        title: str,
        inputs: Mapping[str, Any],
        outputs: Iterable[Path],
        work: Callable[[Progress], Result],
    ) -> Result:
        """The stored result of a stage whose inputs are the same and whose outputs are whole; else do the work.

        `inputs` is anything JSON; `outputs` are the files `work` leaves behind, digested when it is done.
        """
        wanted = digest_json(dict(inputs))
        outputs = list(outputs)
        if self._done.get(name, ("", {}))[0] == wanted:
            return dict(self._done[name][1])
        if (stored := _read(self._record(name))) is not None and stored["inputs"] == wanted:
            if stored["outputs"] == self._digests(outputs):
                self.seconds[name] = stored["seconds"]
                self.display.say(f"{title}: already done")
                self._done[name] = wanted, stored["result"]
                return dict(stored["result"])
            self.display.say(f"{title}: what it wrote is gone or damaged, so it is done again")
        started = time.monotonic()
        with self.display.stage(title) as progress:
            result = work(progress)
        self.record(name, inputs, outputs, time.monotonic() - started, result)
        return dict(self._done[name][1])

    def record(
        self, name: str, inputs: Mapping[str, Any], outputs: Iterable[Path], seconds: float, result: Result
    ) -> None:
        """Store that a stage is done; for work that was not done by `stage` itself."""
        wanted, self.seconds[name] = digest_json(dict(inputs)), round(seconds, 3)
        content = {
            "inputs": wanted,
            "outputs": self._digests(outputs),
            "seconds": self.seconds[name],
            "result": result,
        }
        write_atomically(self._record(name), (json.dumps(content, indent=1) + "\n").encode())
        self._done[name] = wanted, json.loads(json.dumps(result))

    def is_done(self, name: str, inputs: Mapping[str, Any], outputs: Iterable[Path]) -> bool:
        """Whether `stage` would find this stage done, and what it wrote whole."""
        stored = _read(self._record(name))
        wanted = digest_json(dict(inputs)), self._digests(outputs)
        return stored is not None and (stored["inputs"], stored["outputs"]) == wanted

    def stored(self, name: str, inputs: Mapping[str, Any]) -> Result | None:
        """The result of a stage that was done for these inputs, without doing it; None when it was not."""
        record = _read(self._record(name))
        return dict(record["result"]) if record is not None and record["inputs"] == digest_json(dict(inputs)) else None

    def seconds_by_kind(self) -> dict[str, float]:
        """Seconds of every kind of stage, in the order they ran; `train-ab12` and `train-cd34` are both `train`."""
        total: dict[str, float] = {}
        for name, seconds in self.seconds.items():
            kind = name.partition("-")[0]
            total[kind] = round(total.get(kind, 0.0) + seconds, 2)
        return total

    def _record(self, name: str) -> Path:
        return self.path / "stages" / f"{name}.json"

    def _digests(self, outputs: Iterable[Path]) -> dict[str, str | None]:
        return {str(p.relative_to(self.path)): _file_digest(p) for p in outputs}


def _file_digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _read(record: Path) -> dict[str, Any] | None:
    """A stage's record, or None where there is none that can be read: the stage is then done again."""
    try:
        stored = json.loads(record.read_bytes())
        return stored if set(stored) == {"inputs", "outputs", "seconds", "result"} else None
    except (OSError, ValueError, TypeError):
        return None
