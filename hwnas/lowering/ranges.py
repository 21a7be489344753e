"""Calibration: what every value of a model was over some inputs, and how far 8-bit integers for it should reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray

from latency_tables import HwnasError

Samples: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
Range: TypeAlias = tuple[float, float]
_RANDOM_BATCHES = 8
_DRAWN = 1024  # of each value and batch: 256 images give the 99.99 % on 26 numbers, at a megabyte a value
_SHARES = np.linspace(1, 0.2, 17)
_EVERY = 4  # so many numbers drawn are enough to tell errors apart


@dataclass(frozen=True)
class Seen:
    """What a value was over all inputs: its lowest and highest number, and numbers drawn at random, [m]."""

    lowest: float
    highest: float
    drawn: NDArray[np.float32]

    def extremes(self) -> Range:
        """All that was seen."""
        return self.lowest, self.highest

    def middle(self, pct: float) -> Range:
        """From the (100 - pct)th to the pct-th percentile."""
        low, high = np.percentile(self.drawn, [100 - pct, pct])
        return float(low), float(high)

    def least_squares(self) -> Range:
        """The share of the extremes in which 8-bit integers render the numbers with the least squared error.

        What is clipped is paid for by finer steps (Banner et al. 2019, section 3).
        """
        low, high = min(0.0, self.lowest), max(0.0, self.highest)
        errors = [self._squared_error(low * share, high * share) for share in _SHARES]
        share = float(_SHARES[int(np.argmin(errors))])
        return low * share, high * share

    def _squared_error(self, low: float, high: float) -> float:
        numbers, step = self.drawn[::_EVERY], max(high - low, 1e-30) / 255
        rendered = np.clip(np.round(numbers / step), round(low / step), round(high / step)) * step
        return float(np.square(rendered - numbers).sum())


RANGE_METHODS: Mapping[str, Callable[[Seen], Range]] = {
    "min-max": Seen.extremes,
    "99.99 %": partial(Seen.middle, pct=99.99),
    "least squares": Seen.least_squares,
}
"""Ways to choose a range; what is beyond it is clipped. Which is best depends on the network (Wu et al. 2020, 4.1).

The 99.9 % and the mean of the extremes of each image were always worse on the networks of `mbconv-32`.
"""


def calibrate(model: bytes, samples: Samples | None = None) -> dict[str, Seen]:
    """What every value of a float model with one input was over samples [n, ...], by its name; one pass for all.

    Without samples standard normal numbers are taken, or uniform ones where it takes 8-bit images. Raises `HwnasError`
    when there are no samples for one batch.
    """
    import onnxruntime as ort

    every = onnx.load_model_from_string(model)
    shown = {output.name for output in every.graph.output}
    values = [name for node in every.graph.node for name in node.output if name not in shown]
    every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in values)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # fused ops hide their values
    session = ort.InferenceSession(every.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    names = [image.name, *(output.name for output in session.get_outputs())]
    parts: dict[str, list[Seen]] = {name: [] for name in names}
    rng = np.random.default_rng(0)
    dtype = np.uint8 if image.type == "tensor(uint8)" else np.float32
    for batch in _batches(tuple(image.shape), dtype, samples):
        for name, value in zip(names, [batch, *session.run(None, {image.name: batch})], strict=True):
            drawn = value.ravel()[rng.integers(0, value.size, _DRAWN)].astype(np.float32)
            parts[name].append(Seen(float(value.min()), float(value.max()), drawn))
    return {name: _together(seen) for name, seen in parts.items()}


def _together(parts: Sequence[Seen]) -> Seen:
    drawn = np.concatenate([part.drawn for part in parts])
    return Seen(min(part.lowest for part in parts), max(part.highest for part in parts), drawn)


def _batches(shape: tuple[int, ...], dtype: type[np.generic], samples: Samples | None) -> list[Samples]:
    """Samples cut into batches of the model's size, the rest left out; random ones where there are none."""
    size = shape[0]
    if samples is None:
        rng = np.random.default_rng(0)
        if dtype is np.uint8:
            return [rng.integers(0, 256, shape, np.uint8) for _ in range(_RANDOM_BATCHES)]
        return [rng.standard_normal(shape).astype(np.float32) for _ in range(_RANDOM_BATCHES)]
    if samples.shape[1:] != shape[1:] or len(samples) < size:
        raise HwnasError(f"the model takes inputs {list(shape)}, calibration samples are {list(samples.shape)}")
    ends = range(size, len(samples) + 1, size)
    return [np.ascontiguousarray(samples[end - size : end], dtype=dtype) for end in ends]
