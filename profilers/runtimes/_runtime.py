"""What the runtimes that ship have in common: settings they refuse, engines that are kept, an NVIDIA GPU."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path

from latency_tables import ProfilerError, Target
from profilers._base import Profiler, RuntimeSetting
from profilers.device.conditions import Conditions, power_mode
from profilers.device.energy import EnergyCounter, EnergyMeter
from profilers.device.machine import cpu_name
from profilers.device.nvidia import NvidiaGpu
from profilers.engines.engine import Compiled, Engine
from profilers.engines.store import EngineStore


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
        self._engines: dict[str, Engine] = {}
        self._store: EngineStore | None = None

    def target(self) -> Target:
        """The device this runs on; one other than the CPU is part of the runtime's name."""
        return self._target

    def keep_engines(self, folder: Path) -> None:
        """Keep what is built in `folder`, and start what another process has built there."""
        self._store = EngineStore(folder, self._target)

    def build(self, model: bytes) -> Engine:
        """The engine of a model; built and inspected the first time it is seen, and kept."""
        digest = hashlib.sha256(model).hexdigest()
        if self._store is not None:
            return self._store.load(model, digest) or self._built(model, digest)
        if digest not in self._engines:
            self._engines[digest] = self._built(model, digest)
        return self._engines[digest]

    def _built(self, model: bytes, digest: str) -> Engine:
        started = time.monotonic()
        compiled = self.compile(model)
        compiled.proof.require(self._target.runtime)
        built_with = {"runtime": self._target.runtime, "version": self._target.runtime_version, **compiled.settings}
        seconds = time.monotonic() - started
        engine = Engine(digest, compiled.content, compiled.layers, compiled.proof, built_with, seconds)
        if self._store is not None:
            self._store.save(engine)
        return engine

    @abstractmethod
    def compile(self, model: bytes) -> Compiled:
        """What `start` will open, and what it consists of. Raises `ProfilerError` when the model is refused."""

    def conditions(self) -> Conditions:
        """How the processor is doing now, or the GPU."""
        return super().conditions() if self._gpu is None else self._gpu.conditions()

    def energy_meter(self) -> EnergyMeter | None:
        """The counters of the processor, or of the GPU."""
        return super().energy_meter() if self._gpu is None else EnergyMeter([EnergyCounter(self._gpu.energy_uj)])


def first_line(error: BaseException) -> str:
    """The first line of a runtime's words that says more than where in its source it stood."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from ")]
    return lines[0].strip() if lines else type(error).__name__
