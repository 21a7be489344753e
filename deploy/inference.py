"""What a shipped model answers: the file itself, on raw images, by the runtime it was made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import HwnasError


class InferenceError(HwnasError):
    """A model that cannot be loaded, or images that it does not take."""


class OnnxInference:
    """An ONNX model with one input and one output, in onnxruntime on the CPU.

    `model` is a file or its bytes. Raises `InferenceError` when onnxruntime is missing or refuses the model.
    """

    def __init__(self, model: Path | bytes):
        try:
            import onnxruntime as ort
        except ImportError:
            raise InferenceError("onnxruntime is not installed: pip install 'hwnas[onnxruntime]'") from None
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # the same answers however many cores there are
        options.log_severity_level = 4  # what goes wrong is in the exception
        try:
            self._session: Any = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as e:  # onnxruntime raises a dozen unrelated classes
            where = "the model" if isinstance(model, bytes) else model
            raise InferenceError(f"onnxruntime refuses {where}: {str(e).splitlines()[0]}") from None
        (self._input,) = self._session.get_inputs()

    def logits(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """float32 [n, classes] of images [n, c, h, w] as the model takes them, one batch of the model's size at a time.

        Models that ship take uint8, one image at a time. Raises `InferenceError` for images of another shape or type.
        """
        batch, *shape = self._input.shape
        if list(images.shape[1:]) != shape or len(images) % batch or not len(images):
            raise InferenceError(f"the model takes images {[batch, *shape]}, these are {list(images.shape)}")
        try:
            parts = [
                self._session.run(None, {self._input.name: images[start : start + batch]})[0]
                for start in range(0, len(images), batch)
            ]
        except Exception as e:
            raise InferenceError(f"onnxruntime cannot run the model: {str(e).splitlines()[0]}") from None
        return np.concatenate(parts).astype(np.float32, copy=False)

    def accuracy(self, images: NDArray[Any], labels: NDArray[np.int64]) -> float:
        """Share of the images [n, c, h, w] whose largest logit is that of their label [n]."""
        return float((self.logits(images).argmax(axis=1) == labels).mean())
