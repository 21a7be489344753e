"""The plug-in point of a runtime: build an ONNX model, run it, say what device and version this is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError, Target
from profilers.device.conditions import Conditions, read_conditions
from profilers.device.energy import EnergyMeter
from profilers.engines.engine import Engine
from profilers.engines.layers import LayerTime

DeviceKind = Literal["cpu", "gpu", "npu"]
Int8Form = Literal["between-ops", "product-inputs"]


@dataclass(frozen=True)
class RuntimeSetting:
    """A runtime, by its name or as `path/to/file.py:ClassName`, and its settings: any process can make it from this."""

    runtime: str
    threads: int = 1
    batch: int = 1
    precision: str = "fp32"

    @classmethod
    def of(cls, target: Target) -> RuntimeSetting:
        """What a target was measured with; a runtime of one's own goes by the name that it gives itself."""
        return cls(target.runtime, target.threads, target.batch, target.precision)


@dataclass(frozen=True)
class InputSpec:
    """One input of a model: its shape and numpy's name of its type."""

    shape: tuple[int, ...]
    dtype: str


def random_inputs(inputs: Mapping[str, InputSpec]) -> dict[str, NDArray[Any]]:
    """An array for each input, the same numbers in every runtime.

    Standard normal floats or uniform 8-bit integers; raises `ProfilerError` for an input of another type.
    """
    rng = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {}
    for name, spec in inputs.items():
        shape, dtype = spec.shape, spec.dtype
        if dtype in ("float32", "float16"):
            arrays[name] = rng.standard_normal(shape).astype(dtype)
        elif dtype in ("uint8", "int8"):
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
            arrays[name] = rng.integers(low, high, shape, np.dtype(dtype), endpoint=True)
        else:
            raise ProfilerError(f"input {name} is {dtype}; only float and 8-bit inputs can be profiled")
    return arrays


class Session(ABC):
    """One opened model with its inputs already in place. Use as a context manager."""

    input_specs: Mapping[str, InputSpec] = MappingProxyType({})
    """What `infer` takes, by the names of the model's inputs."""

    @abstractmethod
    def run(self) -> None:
        """Run the model once and wait until the device has finished; raises `ProfilerError` when it cannot."""

    def infer(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """What the model answers to these inputs, in the graph's order; those in place stay. Not timed.

        Raises `ProfilerError` where the runtime cannot show it.
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
    """One inference runtime with its settings: it builds a model once, and opens the engine as often as asked.

    A class of one's own that is called with `threads`, `batch` and `precision` can be named as `file.py:ClassName`.
    """

    device_kind: DeviceKind = "cpu"
    int8_form: Int8Form = "between-ops"
    """Where it wants 8-bit integers in a model; see `hwnas.lowering.precision.FORMS`."""
    quick_to_start: bool = False
    """Whether a fresh process per round costs little; a runtime that compiles for seconds stays in one process."""
    spec: RuntimeSetting | None = None
    """What `make_profiler` made it from, so that another process can make it again; None: made by hand."""

    @abstractmethod
    def target(self) -> Target:
        """Device, runtime and version, precision, batch and threads that every latency is true for."""

    def build(self, model: bytes) -> Engine:
        """What this runtime makes of an ONNX model, once. Here: the model as it is.

        Raises `ProfilerError` in one line when the runtime refuses the model, or does not run it as asked.
        """
        return Engine.of(model)

    def keep_engines(self, folder: Path) -> None:  # noqa: B027 - for runtimes that build for long
        """Keep what is built in `folder`, and start what another process has built there."""

    @abstractmethod
    def start(self, engine: Engine) -> Session:
        """A session on an engine of this runtime, whose `content` is the model where `build` is not overridden.

        Raises `ProfilerError` in one line when the runtime refuses it.
        """

    def open(self, model: bytes) -> Session:
        """Build a model and start it."""
        return self.start(self.build(model))

    def layer_times(self, engine: Engine, runs: int) -> tuple[LayerTime, ...]:
        """The layers of an engine in the order they run, each with its time in `runs` profiled runs.

        They do not add up to the time of a run: to profile costs time, and something runs between layers, too.
        Raises `ProfilerError` where the runtime does not tell.
        """
        raise ProfilerError(f"{self.target().runtime} does not tell the times of layers; measure op by op")

    def command_line(self, model: Path) -> str | None:
        """How to call the runtime's own benchmark whose median should be that of `Session.time_us`, if it has one."""
        return None

    def conditions(self) -> Conditions:
        """How the device is doing now. Override where it is not this machine's processor."""
        return read_conditions()

    def energy_meter(self) -> EnergyMeter | None:
        """What counts the device's energy, None where nothing does. Override where it is not the processor."""
        return EnergyMeter.of_cpu() if self.device_kind == "cpu" else None
