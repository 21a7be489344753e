"""Work in a fresh process, where a model runs as it will once it is shipped.

In a process that has trained, or only loaded torch, the same model is 1-3 % slower, and one process differs from the
next by a percent or so: it depends on where memory happens to lie.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from latency_tables import Measurement, ProfilerError, Target
from latency_tables.progress import Progress, silent
from latency_tables.storage.serialise import from_plain
from profilers._base import Profiler, RuntimeSetting, Session
from profilers.device.machine import quiet
from profilers.protocol import Protocol, known_quiet_us, visit_model

_WARMUP_RUNS = 20


@dataclass(frozen=True)
class Request(ABC):
    """Work for a process of its own, which makes the runtime from `spec`. Its fields are plain values: no paths.

    `worker` is the module that does it, which must know this class.
    """

    spec: RuntimeSetting
    worker: ClassVar[str] = "profilers.worker"

    @abstractmethod
    def work(self, profiler: Profiler, progress: Progress) -> Any:
        """Do it in this process; the answer in JSON values."""


@dataclass(frozen=True)
class MeasureModel(Request):
    """`rounds` visits of a model file beside a reference file; answers `ModelVisits`."""

    protocol: Protocol
    model: str
    reference: str
    rounds: int

    def work(self, profiler: Profiler, progress: Progress) -> dict[str, Any]:
        """Visit it."""
        model, reference_model = Path(self.model).read_bytes(), Path(self.reference).read_bytes()

        def visit_once(reference: Session, round_: int, quiet_us: float | None) -> Measurement:
            return visit_model(profiler, model, reference, self.protocol, "network", round_, quiet_us)

        visits = visits_beside(reference_model, profiler, self.rounds, visit_once)
        return asdict(ModelVisits(tuple(visits), profiler.target()))


def visits_beside(
    reference_model: bytes,
    profiler: Profiler,
    count: int,
    visit: Callable[[Session, int, float | None], Measurement],
) -> list[Measurement]:
    """So many visits beside one reference network, which is warm; in this process.

    `visit` gets the reference's session, the number of the visit, and the reference's quiet time so far.
    """
    visits: list[Measurement] = []
    with quiet(profiler.target().threads), profiler.open(reference_model) as reference:
        for _ in range(_WARMUP_RUNS):
            reference.run()
        for number in range(count):
            visits.append(visit(reference, number, known_quiet_us(visits)))
    return visits


@dataclass(frozen=True)
class ModelVisits:
    """The answer to `MeasureModel`."""

    visits: tuple[Measurement, ...]
    target: Target


def measure_model(model: Path, reference: Path, spec: RuntimeSetting, protocol: Protocol, rounds: int) -> ModelVisits:
    """Visit a model file beside a reference file in one fresh process; raises `ProfilerError` when that fails."""
    request = MeasureModel(spec, protocol, str(model.resolve()), str(reference.resolve()), rounds)
    return from_plain(ModelVisits, run_isolated(request))


def run_isolated(request: Request, progress: Progress = silent) -> Any:
    """What its worker answers to a request in a new interpreter, as plain JSON values.

    Raises `ProfilerError` with the last words of the process when it fails. However this call ends, the process is
    gone then.
    """
    # -P: a folder called profilers where the user stands must not be taken for ours.
    command = [sys.executable, "-P", "-m", request.worker]
    answer = None
    with tempfile.TemporaryFile("w+", errors="replace") as words:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True, env=_environment()
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it died at once; its last words say why
                process.stdin.write(json.dumps({"kind": type(request).__name__, **asdict(request)}))
                process.stdin.close()
            for line in process.stdout:
                said = json.loads(line) if line.endswith("\n") else {}  # a line without end: killed while it spoke
                if "progress" in said:
                    progress(*said["progress"])
                answer = said.get("answer")
        except BaseException:
            process.terminate()
            raise
        finally:
            process.stdout.close()
            code = process.wait()
        if code != 0:
            words.seek(0)
            last = (words.read().strip().splitlines() or [""])[-1]
            raise ProfilerError(f"the measuring process failed: {_reason(code, last)}")
    return answer


def _environment() -> dict[str, str] | None:
    """Where a new interpreter finds this package when it was imported from a kit; any other it finds by itself."""
    root = Path(__file__).resolve().parents[1]
    return None if root.is_dir() else {**os.environ, "PYTHONPATH": str(root)}


def _reason(code: int, last_line: str) -> str:
    if code in (1, 2) and last_line:  # Python's own exit codes, where the last line is an error
        return last_line
    ending = f"it was killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"
    hint = "; is the device out of memory?" if code == -signal.SIGKILL else ""
    return f"{ending}{hint}" + (f" (its last line: {last_line})" if last_line else "")
