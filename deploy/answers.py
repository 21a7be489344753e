"""What a shipped model answers: the file itself, on raw images, by the runtime it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from profilers import Engine, Profiler, Session
from profilers.runtimes.onnxruntime import OnnxRuntimeProfiler

if TYPE_CHECKING:
    from hwnas.data import LabelledImages


def open_to_answer(model: bytes, profiler: Profiler | None = None) -> Session:
    """A session that shows answers: of the profiler's runtime, or of onnxruntime where there is none or it cannot.

    onnxruntime then runs as it likes, on one thread of the CPU, so that it gives the same answers however many there
    are. Raises `ProfilerError` when the model is refused, or does not run in the profiler's precision.
    """
    if profiler is not None:
        session = profiler.start(profiler.build(model))
        if session.input_specs:
            return session
        session.close()
    return OnnxRuntimeProfiler().start(Engine.of(model))


def logits(session: Session, images: NDArray[Any]) -> NDArray[np.float32]:
    """float32 [n, classes] of images [n, c, h, w] as the model takes them, one batch of the model's size at a time.

    The last batch is filled up. Models that ship take uint8, most of them one image at a time. Raises `ProfilerError`
    for images of another shape or type, and for a model that does not answer a row per image.
    """
    ((name, spec),) = session.input_specs.items()
    size, *shape = spec.shape
    if list(images.shape[1:]) != shape or not len(images):
        raise ProfilerError(f"the model takes images {[size, *shape]}, these are {list(images.shape)}")
    filled = np.concatenate([images, np.repeat(images[-1:], -len(images) % size, axis=0)])
    parts = [session.infer({name: filled[start : start + size]})[0] for start in range(0, len(filled), size)]
    if any(part.ndim != 2 or len(part) != size for part in parts):
        raise ProfilerError(f"the model answers {list(parts[0].shape)} to {size} images, not a row per image")
    return np.concatenate(parts)[: len(images)].astype(np.float32, copy=False)


def answered(session: Session, split: LabelledImages) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits [n, classes] for all images of a split, block by block, and their labels [n]."""
    parts = [(logits(session, block.images), block.labels) for block in split.blocks()]
    answers, labels = map(np.concatenate, zip(*parts, strict=True))
    return answers, labels


def accuracy(answers: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Share of logits [n, classes] whose largest is that of their label [n]."""
    return float((answers.argmax(axis=1) == labels).mean())


def true_class_probability(answers: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean softmax probability of the right class: smooth where counting right answers is not."""
    powers = np.exp(answers - answers.max(axis=1, keepdims=True))
    return float((powers[np.arange(len(labels)), labels] / powers.sum(axis=1)).mean())
