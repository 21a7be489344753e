"""Learning from a teacher's answers beside the labels (Hinton et al. 2015); the teacher is any file of the user's."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from latency_tables import HwnasError


def agreement_loss(logits: Tensor, teacher: Tensor) -> Tensor:
    """The cross entropy of logits [n, classes] against the teacher's probabilities; a scalar."""
    return functional.cross_entropy(logits, teacher.softmax(1))


class Teacher(ABC):
    """Answers for images that are normalised as the student's: [n, 3, h, w] to logits [n, classes]."""

    @abstractmethod
    def answers(self, images: Tensor) -> Tensor:
        """Logits [n, classes] on the device of the images, without gradients."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What tells this teacher from others."""

    def check(self, images: Tensor, classes: int) -> None:
        """Raise `HwnasError` unless it answers these images [n, 3, h, w] with logits [n, classes]."""
        shape, wanted = tuple(self.answers(images).shape), (len(images), classes)
        if shape != wanted:
            raise HwnasError(f"{self}: answers {tuple(images.shape)} images by {shape}, not by logits {wanted}")


@dataclass(frozen=True)
class _FileTeacher(Teacher):
    path: Path

    def __str__(self) -> str:
        return f"the teacher {self.path}"

    @cached_property
    def identity(self) -> str:
        """The digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class OnnxTeacher(_FileTeacher):
    """An ONNX model of one input and one output, run by onnxruntime."""

    @cached_property
    def _session(self) -> Any:
        import onnxruntime as ort

        return ort.InferenceSession(str(self.path), providers=ort.get_available_providers())

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}  # a session does not pickle

    def answers(self, images: Tensor) -> Tensor:
        """Logits, by onnxruntime."""
        name = self._session.get_inputs()[0].name
        answers = self._session.run(None, {name: images.contiguous().cpu().numpy()})[0]
        return torch.from_numpy(answers).to(images.device)


@dataclass(frozen=True)
class TorchTeacher(_FileTeacher):
    """A program that `torch.export.save` wrote (.pt2)."""

    @cached_property
    def _module(self) -> Any:
        return torch.export.load(str(self.path)).module()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def answers(self, images: Tensor) -> Tensor:
        """Logits, by torch."""
        with torch.no_grad():
            answers: Tensor = self._module.to(images.device)(images)
        return answers


def load_teacher(path: str) -> Teacher:
    """The teacher in an .onnx or .pt2 file; `HwnasError` when there is none or it cannot be loaded."""
    file = Path(path).expanduser()
    kind = {".onnx": OnnxTeacher, ".pt2": TorchTeacher}.get(file.suffix)
    if kind is None:
        raise HwnasError(f"the teacher {path}: give an .onnx file, or a .pt2 file of torch.export.save")
    if not file.is_file():
        raise HwnasError(f"the teacher {path}: no such file")
    return kind(file)
