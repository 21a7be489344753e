"""What the runtimes that ship have in common: a target told once, one memory of models seen, an NVIDIA GPU."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from typing import Any

from latency_tables import Target
from profilers._base import DeviceKind, Profiler, Session
from profilers.device.conditions import Conditions
from profilers.device.energy import EnergyCounter, EnergyMeter
from profilers.device.nvidia import NvidiaGpu


class ShippedRuntime(Profiler):
    """A runtime with a fixed target; `gpu` is the one it runs on, if NVIDIA made it."""

    def __init__(
        self,
        target: Target,
        device_kind: DeviceKind = "cpu",
        gpu: NvidiaGpu | None = None,
        quick_to_start: bool = False,
    ):
        self._target, self.device_kind, self._gpu, self.quick_to_start = target, device_kind, gpu, quick_to_start
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

    def conditions(self) -> Conditions:
        """How the processor is doing now, or the GPU."""
        return super().conditions() if self._gpu is None else self._gpu.conditions()

    def energy_meter(self) -> EnergyMeter | None:
        """The counters of the processor, or of the GPU."""
        return super().energy_meter() if self._gpu is None else EnergyMeter([EnergyCounter(self._gpu.energy_uj)])
