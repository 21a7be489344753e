"""The plug-in point of a runtime: open an ONNX model, run it, say what device and version this is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError, Target
from profilers.device.conditions import Conditions, read_conditions
from profilers.device.energy import EnergyMeter

DeviceKind = Literal["cpu", "gpu", "npu"]


@dataclass(frozen=True)
class RuntimeSetting:
    """A runtime, by its name or as `path/to/file.py:ClassName`, and its settings: any process can make it from this."""

    runtime: str
    threads: int = 1
    batch: int = 1
    precision: str = "fp32"


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

    def __exit__(self, *exc: object) -> None:
        self.close()


class Profiler(ABC):
    """One inference runtime with its settings.

    A class of one's own that is called with `threads`, `batch` and `precision` can be named as `file.py:ClassName`.
    """

    device_kind: DeviceKind = "cpu"
    quick_to_start: bool = False
    """Whether a fresh process per round costs little; a runtime that compiles for seconds stays in one process."""
    spec: RuntimeSetting | None = None
    """What `make_profiler` made it from, so that another process can make it again; None: made by hand."""

    @abstractmethod
    def target(self) -> Target:
        """Device, runtime and version, precision, batch and threads that every latency is true for."""

    @abstractmethod
    def open(self, model: bytes) -> Session:
        """Load an ONNX model; raises `ProfilerError` in one line when the runtime refuses it."""

    def conditions(self) -> Conditions:
        """How the device is doing now. Override where it is not this machine's processor."""
        return read_conditions()

    def energy_meter(self) -> EnergyMeter | None:
        """What counts the device's energy, None where nothing does. Override where it is not the processor."""
        return EnergyMeter.of_cpu() if self.device_kind == "cpu" else None
