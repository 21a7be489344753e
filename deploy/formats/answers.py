"""What a session answers to images, whatever batch its model takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError
from profilers import Session


def answers(session: Session, images: NDArray[Any]) -> NDArray[np.float32]:
    """float32 [n, classes] of images [n, c, h, w], a batch of the model's size at a time; the last one is filled up.

    Raises `ProfilerError` for a model that takes other images, or answers something else.
    """
    ((name, spec),) = session.input_specs.items()
    if images.shape[1:] != spec.shape[1:] or images.dtype != spec.dtype:
        taken, given = f"{spec.dtype} {list(spec.shape)}", f"{images.dtype} {list(images.shape)}"
        raise ProfilerError(f"the model takes images {taken}, these are {given}")
    size, parts = spec.shape[0], []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        filled = np.concatenate([batch, np.repeat(batch[-1:], size - len(batch), axis=0)])
        (logits,) = session.infer({name: filled})
        if logits.ndim != 2 or len(logits) != size:
            raise ProfilerError(f"the model answers {list(logits.shape)} to {size} images, not a row per image")
        parts.append(logits[: len(batch)].astype(np.float32))
    return np.concatenate(parts)
