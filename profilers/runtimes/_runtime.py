"""What the runtimes that ship have in common: settings they refuse, a memory of models seen, precision read back."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latency_tables import ProfilerError, Target
from profilers._base import Profiler, RuntimeSetting, Session
from profilers.device.conditions import Conditions, power_mode
from profilers.device.energy import EnergyCounter, EnergyMeter
from profilers.device.machine import cpu_name
from profilers.device.nvidia import NvidiaGpu


class ShippedRuntime(Profiler):
    """A runtime with a fixed target; `gpu` is the one it runs on, if NVIDIA made it, `device` any other but the CPU.

    Raises `ProfilerError` for settings that no runtime, or not this one with its known `precisions`, can have.
    """

    def __init__(
        self,
        setting: RuntimeSetting,
        version: str,
        precisions: Collection[str],
        device: str | None = None,
        gpu: NvidiaGpu | None = None,
    ):
        for name, value in (("threads", setting.threads), ("batch", setting.batch)):
            if value < 1:
                raise ProfilerError(f"{name} must be at least 1, got {value}")
        if setting.precision not in precisions:
            known = " or ".join(precisions)
            raise ProfilerError(f"{setting.runtime} is measured in {known}, not in {setting.precision!r}")
        self._target = Target(device or cpu_name(), runtime_version=version, power_mode=power_mode(), **vars(setting))
        self._gpu = gpu
        if gpu is not None:
            self.device_kind = "gpu"
        self._known: dict[str, Any] = {}

    def target(self) -> Target:
        """The device this runs on; one other than the CPU is part of the runtime's name."""
        return self._target

    def open(self, model: bytes) -> Session:
        """Load a model from its bytes and bind random inputs; what was built is inspected the first time it is seen."""
        digest = hashlib.sha256(model).hexdigest()
        session, self._known[digest] = self.load(model, self._known.get(digest))
        return session

    @abstractmethod
    def load(self, model: bytes, known: Any) -> tuple[Session, Any]:
        """An opened model, and what to hand back as `known` when it is opened again; `known` is None the first time."""

    def require_precision(self, name: str, kind: str, precision: str) -> None:
        """Raise `ProfilerError` unless a convolution or matrix product ran in the precision asked for.

        A model without any (pooling, a sum) has nothing to run in a lower precision and passes.
        """
        if precision != (wanted := self._target.precision):
            raise ProfilerError(
                f"{self._target.runtime} runs {name} ({kind}) in {precision}, not in {wanted}; "
                f"make the models in {wanted}, or profile them as {precision}"
            )

    def conditions(self) -> Conditions:
        """How the processor is doing now, or the GPU."""
        return super().conditions() if self._gpu is None else self._gpu.conditions()

    def energy_meter(self) -> EnergyMeter | None:
        """The counters of the processor, or of the GPU."""
        return super().energy_meter() if self._gpu is None else EnergyMeter([EnergyCounter(self._gpu.energy_uj)])


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
