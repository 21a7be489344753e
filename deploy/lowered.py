"""A trained network in a lower precision: the best of several ways, and what it costs in accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.answers import accuracy, logits, open_to_answer, true_class_probability
from deploy.manifest import Lowering
from hwnas.data import Dataset, LabelledImages, Split
from hwnas.lowering.precision import FORMS, PRECISIONS, halved, quantised
from hwnas.lowering.ranges import RANGE_METHODS, Seen, calibrate
from latency_tables import HwnasError
from profilers import Int8Form, Profiler

_CALIBRATION_IMAGES, _VALIDATION_IMAGES = 256, 2000
_LARGEST_FP16 = float(np.finfo(np.float16).max)


class PrecisionError(HwnasError):
    """A network that a lower precision would spoil."""


@dataclass(frozen=True)
class Lowered:
    """A model in another precision than it was trained in, and how it came to be."""

    model: bytes
    precision: str
    lowering: Lowering

    def require(self, max_drop_points: float) -> None:
        """Raise `PrecisionError` when it costs more points of validation accuracy than allowed."""
        how = self.lowering
        if how.drop_points > max_drop_points:
            raise PrecisionError(
                f"{self.precision} costs {how.drop_points:.2f} points of validation accuracy "
                f"({100 * how.fp32_accuracy:.2f} to {100 * how.accuracy:.2f} %), more than --max-drop "
                f"{max_drop_points:g}; allow more, train longer (--train-epochs), or ship another precision"
            )


def lower(model: bytes, data: Dataset, profiler: Profiler) -> Lowered:
    """An fp32 model that takes raw images, in the precision and the form that the runtime wants; it keeps its ends.

    int8: the ranges of values are calibrated on images of the training split, in each of the ways of `RANGE_METHODS`,
    with weights of 8 bits and, where activations have no sign, of 7. The way whose file gives the right classes of the
    validation split the highest mean probability is taken. At most 256 and 2,000 images, evenly spaced over the split.
    Accuracies are those of the files on the runtime itself, or on onnxruntime where it cannot show them.

    Raises `PrecisionError` for an unknown precision, a value that comes near the largest number of fp16 on those
    images, and answers that are not finite; `ProfilerError` when the runtime refuses a file or runs a matrix product
    of it in another precision.
    """
    return lower_to(model, data, profiler.target().precision, profiler.int8_form, profiler)


def values_seen(model: bytes, data: Dataset) -> Mapping[str, Seen]:
    """What the values of an fp32 model are on those images of the training split that calibrate every precision."""
    return calibrate(model, _spread(data.train, _CALIBRATION_IMAGES).images)


def lower_to(
    model: bytes,
    data: Dataset,
    precision: str,
    form: Int8Form,
    profiler: Profiler | None = None,
    seen: Mapping[str, Seen] | None = None,
) -> Lowered:
    """The same for a runtime that need not be here: without a profiler onnxruntime answers, and nothing is proven.

    `seen` is what `values_seen` says, where that is known.
    """
    validation = _spread(data.validation, _VALIDATION_IMAGES)
    files = _files(model, precision, form, values_seen(model, data) if seen is None else seen)
    answers = {method: _answers(file, validation.images, precision, profiler) for method, file in files.items()}
    best = max(answers, key=lambda method: true_class_probability(answers[method], validation.labels))
    proof = None if profiler is None else profiler.build(files[best]).proof
    with open_to_answer(model) as session:
        fp32_accuracy = accuracy(logits(session, validation.images), validation.labels)
    lowering = Lowering(
        method=best,
        accuracy=accuracy(answers[best], validation.labels),
        fp32_accuracy=fp32_accuracy,
        proof_pct=None if proof is None else proof.share_pct,
    )
    return Lowered(files[best], precision, lowering)


def _files(model: bytes, precision: str, form: Int8Form, seen: Mapping[str, Seen]) -> Mapping[str, bytes]:
    """The model in the lower precision, by every method that there is."""
    if precision not in PRECISIONS[1:]:
        raise PrecisionError(f"no lower precision: {precision!r}; there are {', '.join(PRECISIONS[1:])}")
    if precision == "fp16":
        reach = {name: max(map(abs, value.extremes())) for name, value in seen.items()}
        if not max(reach.values()) <= _LARGEST_FP16 / 4:
            farthest = max(reach, key=reach.__getitem__)
            raise PrecisionError(
                f"{farthest} reaches {reach[farthest]:.3g} on training images, too near the largest number of fp16, "
                f"{_LARGEST_FP16:g}; ship fp32 or int8"
            )
        return {"conversion": halved(model, float_output=True)}
    ranges = {name: {value: method(of) for value, of in seen.items()} for name, method in RANGE_METHODS.items()}
    files = {name: quantised(model, span, form=FORMS[form]) for name, span in ranges.items()}
    if not FORMS[form].signed:  # else no sum is cut off
        for name, span in ranges.items():
            files[f"{name}, 7-bit weights"] = quantised(model, span, form=FORMS[form], seven_bit_weights=True)
    return files


def _answers(model: bytes, images: NDArray[np.uint8], precision: str, profiler: Profiler | None) -> NDArray[np.float32]:
    with open_to_answer(model, profiler) as session:
        answers = logits(session, images)
    if not np.isfinite(answers).all():
        raise PrecisionError(f"the network in {precision} answers what is not finite; ship fp32")
    return answers


def _spread(split: LabelledImages, most: int) -> Split:
    """At most so many images, evenly spaced: those of a folder come class by class."""
    rows = np.linspace(0, len(split) - 1, min(most, len(split))).astype(np.int64)
    return split.take(rows)
