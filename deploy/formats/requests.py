"""Files of models opened in a process of its own: what they answer, how long they take."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deploy.formats._base import Files
from deploy.formats.answers import answers
from deploy.formats.by_name import make_format
from deploy.formats.onnx_file import FILE as ONNX
from latency_tables import Measurement
from latency_tables.progress import Progress
from latency_tables.storage.files import write_atomically
from latency_tables.storage.serialise import from_plain
from profilers import Profiler, Protocol, RuntimeSetting, Session
from profilers.device.machine import quiet
from profilers.isolated import Request, run_isolated
from profilers.protocol import visit

_REFERENCE = "reference.onnx"


@dataclass(frozen=True)
class FileRequest(Request):
    """Work on the files of a model, which lie in `folder`.

    `rebuild`: the one file is ONNX, and those of the format are made of it first.
    """

    worker: ClassVar[str] = "deploy.formats.worker"
    format: str
    rebuild: bool
    folder: str
    names: tuple[str, ...]

    def files(self) -> Files:
        """The files of the model, in its format."""
        files = {name: (Path(self.folder) / name).read_bytes() for name in self.names}
        return make_format(self.format).build(files[ONNX], self.spec).files if self.rebuild else files


@dataclass(frozen=True)
class AnswerImages(FileRequest):
    """The logits of each of the images, whose bytes are in the file `images`."""

    images: str
    shape: tuple[int, ...]

    def work(self, profiler: Profiler, progress: Progress) -> list[list[float]]:
        """Open the model and ask it."""
        pixels = np.fromfile(self.images, np.uint8).reshape(self.shape)
        with make_format(self.format).open(self.files(), self.spec) as session:
            logits: list[list[float]] = answers(session, pixels).tolist()
        return logits


@dataclass(frozen=True)
class TimeFiles(FileRequest):
    """Visits to a model, opened anew for each, beside the reference network that lies in its folder."""

    rounds: int
    round: int

    def work(self, profiler: Profiler, progress: Progress) -> list[dict[str, Any]]:
        """Visit it."""
        files, reference_model = self.files(), (Path(self.folder) / _REFERENCE).read_bytes()
        visits = []
        with quiet(self.spec.threads), profiler.open(reference_model) as reference:
            for _ in range(20):
                reference.run()
            for _ in range(self.rounds):
                with make_format(self.format).open(files, self.spec) as session:
                    visits.append(self._visit(session, reference, profiler))
        return [asdict(v) for v in visits]

    def _visit(self, session: Session, reference: Session, profiler: Profiler) -> Measurement:
        return visit(session, reference, Protocol(), "network", self.round, profiler.conditions)


def isolated_answers(
    format: str, files: Files, setting: RuntimeSetting, images: NDArray[np.uint8], rebuild: bool = False
) -> NDArray[np.float32]:
    """`answers` of a model's files in a process of its own, which may die of them; [n, classes].

    `rebuild`: the one file is an ONNX model, from which those of the format are made there. Raises `ProfilerError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, files)
        pixels = Path(folder) / "images.u8"
        pixels.write_bytes(np.ascontiguousarray(images).tobytes())
        asked = AnswerImages(setting, format, rebuild, folder, tuple(files), str(pixels), images.shape)
        return np.array(run_isolated(asked), np.float32)


def isolated_visits(
    format: str, files: Files, setting: RuntimeSetting, reference: bytes, round_: int, visits: int
) -> tuple[Measurement, ...]:
    """Visits to a model's files beside the reference network, in a process of its own. Raises `ProfilerError`."""
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, {**files, _REFERENCE: reference})
        asked = TimeFiles(setting, format, False, folder, tuple(files), visits, round_)
        return from_plain(_Visits, {"visits": run_isolated(asked)}).visits


@dataclass(frozen=True)
class _Visits:
    visits: tuple[Measurement, ...]


def _write(folder: str, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_atomically(Path(folder) / name, content)
