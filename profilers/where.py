"""Where plans are measured: on this machine, or on a board (`profilers.boards.board`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from latency_tables import Measurement, Target
from latency_tables.progress import Progress, silent
from profilers._base import Int8Form, Profiler
from profilers.plan import Plan
from profilers.profile import measure_plan
from profilers.protocol import Protocol

HERE = "here"
"""Where a device is that is this machine; others have an address."""


class Device(ABC):
    """A device that measures plans with one runtime, in one setting."""

    @abstractmethod
    def target(self) -> Target:
        """Device, runtime and version, precision, batch and threads that every latency is true for."""

    @property
    @abstractmethod
    def int8_form(self) -> Int8Form:
        """Where its runtime wants 8-bit integers in a model."""

    @abstractmethod
    def measure(
        self, plan: Plan, journal: Path, protocol: Protocol, progress: Progress = silent, fresh: bool = False
    ) -> list[Measurement]:
        """All visits that the protocol asks for, which are in `journal` then; those that were made are not made again.

        `fresh`: each round in a process of its own, however slow the runtime starts. Raises `HwnasError` when the
        device cannot measure, or has become another.
        """


@dataclass(frozen=True)
class ThisMachine(Device):
    """The machine that asks."""

    profiler: Profiler

    def target(self) -> Target:
        """What the runtime says."""
        return self.profiler.target()

    @property
    def int8_form(self) -> Int8Form:
        """What the runtime says."""
        return self.profiler.int8_form

    def measure(
        self, plan: Plan, journal: Path, protocol: Protocol, progress: Progress = silent, fresh: bool = False
    ) -> list[Measurement]:
        """See `profilers.measure_plan`."""
        return measure_plan(plan, self.profiler, journal, protocol, progress, fresh)
