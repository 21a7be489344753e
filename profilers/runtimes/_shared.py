"""What the runtimes' files have in common: settings they refuse, inputs in place, precision read back, error texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError


@dataclass(frozen=True)
class MatrixProduct:
    """A convolution or matrix product as a runtime ran it: its name, its kind, the precision of its operands."""

    name: str
    kind: str
    precision: str


def check_settings(runtime: str, threads: int, batch: int, precision: str, known: Sequence[str]) -> None:
    """Raise `ProfilerError` for settings that no runtime, or not this one, can have."""
    for name, value in (("threads", threads), ("batch", batch)):
        if value < 1:
            raise ProfilerError(f"{name} must be at least 1, got {value}")
    if precision not in known:
        raise ProfilerError(f"{runtime} is measured in {' or '.join(known)}, not in {precision!r}")


def check_precision(runtime: str, wanted: str, products: Iterable[MatrixProduct]) -> None:
    """Raise `ProfilerError` for the first product that did not run in the precision `wanted`.

    A model without any product (pooling, a sum) has nothing to run in a lower precision and passes.
    """
    for p in products:
        if p.precision != wanted:
            raise ProfilerError(
                f"{runtime} runs {p.name} ({p.kind}) in {p.precision}, not in {wanted}; "
                f"make the models in {wanted}, or profile them as {p.precision}"
            )


def random_inputs(inputs: Mapping[str, tuple[Sequence[int], str]]) -> dict[str, NDArray[Any]]:
    """An array for each input (shape and numpy's name of the type), the same numbers in every runtime.

    Standard normal floats or uniform 8-bit integers; raises `ProfilerError` for an input of another type.
    """
    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {}
    for name, (shape, dtype) in inputs.items():
        if dtype in ("float32", "float16"):
            arrays[name] = rng.standard_normal(tuple(shape)).astype(dtype)
        elif dtype in ("uint8", "int8"):
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
            arrays[name] = rng.integers(low, high, tuple(shape), np.dtype(dtype), endpoint=True)
        else:
            raise ProfilerError(f"input {name} is {dtype}; only float and 8-bit inputs can be profiled")
    return arrays


def first_line(error: BaseException) -> str:
    """The first line of a runtime's words that says more than where in its source it stood."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from ")]
    return lines[0].strip() if lines else type(error).__name__
