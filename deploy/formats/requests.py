"""Files of models opened in a process of its own: what they answer, how long they take."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deploy.answers import logits
from deploy.formats._base import Files
from deploy.formats.by_name import make_format
from deploy.onnx_file import checked_onnx
from latency_tables import Measurement
from latency_tables.progress import Progress
from latency_tables.storage.files import write_atomically
from latency_tables.storage.serialise import from_plain
from profilers import Profiler, Protocol, RuntimeSetting, Session
from profilers.isolated import Request, run_isolated, visits_beside
from profilers.protocol import visit

_REFERENCE, _SOURCE = "reference.model", "source.model"


@dataclass(frozen=True)
class Question:
    """Images [n, c, h, w], whose bytes are in a file; `rebuilt`: of the model that is built from ONNX meanwhile."""

    rebuilt: bool
    images: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FileRequest(Request):
    """Work on the files of a model in some format, which lie in `folder`."""

    worker: ClassVar[str] = "deploy.formats.worker"
    format: str
    folder: str
    names: tuple[str, ...]

    def files(self) -> Files:
        """The files of the model."""
        return {name: (Path(self.folder) / name).read_bytes() for name in self.names}


@dataclass(frozen=True)
class AskModel(FileRequest):
    """The logits of every question's images. The ONNX model to build from lies beside the files."""

    questions: tuple[Question, ...]

    def work(self, profiler: Profiler, progress: Progress) -> list[list[list[float]]]:
        """Build and open what is asked, once."""
        with ExitStack() as stack:
            sessions: dict[bool, Session] = {}
            for rebuilt in {q.rebuilt for q in self.questions}:
                sessions[rebuilt] = stack.enter_context(self._open(rebuilt))
            return [self._logits(sessions[q.rebuilt], q) for q in self.questions]

    def _open(self, rebuilt: bool) -> Session:
        files, format_ = self.files(), make_format(self.format)
        if rebuilt:
            files = format_.build(checked(Path(self.folder) / _SOURCE), self.spec).files
        return format_.open(files, self.spec)

    def _logits(self, session: Session, question: Question) -> list[list[float]]:
        pixels = np.fromfile(question.images, np.uint8).reshape(question.shape)
        said: list[list[float]] = logits(session, pixels).tolist()
        return said


def checked(path: Path) -> bytes:
    """An ONNX file that onnx's own checker accepts; raises `HwnasError`."""
    content = path.read_bytes()
    checked_onnx(content, "the ONNX model")
    return content


@dataclass(frozen=True)
class TimeFiles(FileRequest):
    """Visits to a model, opened anew for each, beside the reference network that lies in its folder."""

    rounds: int
    round: int

    def work(self, profiler: Profiler, progress: Progress) -> list[dict[str, Any]]:
        """Visit it."""
        files, reference_model = self.files(), (Path(self.folder) / _REFERENCE).read_bytes()

        def visit_once(reference: Session, number: int, quiet_us: float | None) -> Measurement:
            with make_format(self.format).open(files, self.spec) as session:
                return visit(session, reference, Protocol(), "network", self.round, profiler.conditions, quiet_us)

        visits = visits_beside(reference_model, profiler, self.rounds, visit_once)
        return [asdict(v) for v in visits]


def isolated_answers(
    format: str,
    files: Files,
    setting: RuntimeSetting,
    questions: Sequence[tuple[bool, NDArray[np.uint8]]],
    source: bytes = b"",
) -> list[NDArray[np.float32]]:
    """`logits` of a model's files to each question's images, in a process of its own, which may die of them.

    A question says whether it is put to the files, or (True) to those that are made there of the ONNX model `source`.
    Raises `ProfilerError` in one line.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, {**files, _SOURCE: source})
        asked = []
        for i, (rebuilt, images) in enumerate(questions):
            pixels = Path(folder) / f"{i}.images"
            pixels.write_bytes(np.ascontiguousarray(images).tobytes())
            asked.append(Question(rebuilt, str(pixels), images.shape))
        said = run_isolated(AskModel(setting, format, folder, tuple(files), tuple(asked)))
        return [np.array(logits, np.float32) for logits in said]


def isolated_visits(
    format: str, files: Files, setting: RuntimeSetting, reference: bytes, round_: int, visits: int
) -> tuple[Measurement, ...]:
    """Visits to a model's files beside the reference network, in a process of its own. Raises `ProfilerError`."""
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, {**files, _REFERENCE: reference})
        asked = TimeFiles(setting, format, folder, tuple(files), visits, round_)
        return from_plain(_Visits, {"visits": run_isolated(asked)}).visits


@dataclass(frozen=True)
class _Visits:
    visits: tuple[Measurement, ...]


def _write(folder: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(Path(folder) / name, content)
