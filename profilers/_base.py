"""The plug-in point of a runtime: open an ONNX model, run it, say what device and version this is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError, Target
from profilers.device.conditions import Conditions, read_conditions


class Session(ABC):
    """One opened model with its inputs already in place. Use as a context manager."""

    @abstractmethod
    def run(self) -> None:
        """Run the model once and wait until the device has finished; raises `ProfilerError` when it cannot."""

    def outputs(self) -> list[NDArray[Any]]:
        """What the model answers to the inputs in place, in the graph's order; not timed.

        A runtime that can show it puts `random_inputs` in place, so that answers compare across runtimes.
        Raises `ProfilerError` where it cannot.
        """
        raise ProfilerError(f"{type(self).__name__} cannot show what the model answers")

    def close(self) -> None:  # noqa: B027 - most runtimes free a model when it is dropped
        """Free what the model holds."""

    def time_us(self, runs: int) -> NDArray[np.float64]:
        """Microseconds of each of `runs` runs, shape [runs]. Override where the device has a better clock."""
        marks = np.empty(runs + 1, dtype=np.int64)
        clock, run = time.perf_counter_ns, self.run
        marks[0] = clock()
        for i in range(1, runs + 1):
            run()
            marks[i] = clock()
        times: NDArray[np.float64] = np.diff(marks) / 1e3
        return times

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Profiler(ABC):
    """One inference runtime with its settings."""

    @abstractmethod
    def target(self) -> Target:
        """Device, runtime and version, precision, batch and threads that every latency is true for."""

    @abstractmethod
    def open(self, model: bytes) -> Session:
        """Load an ONNX model; raises `ProfilerError` in one line when the runtime refuses it."""

    def conditions(self) -> Conditions:
        """How the device is doing now. Override where it is not this machine's processor."""
        return read_conditions()
