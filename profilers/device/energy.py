"""Energy of a model's run, from the counters that processors and GPUs keep of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from profilers.device.conditions import read_number


@dataclass(frozen=True)
class EnergyCounter:
    """One counter of microjoules; `read_uj` gives None where it may not be read.

    `range_uj`: where it starts again at zero, None if it never does.
    """

    read_uj: Callable[[], int | None]
    range_uj: int | None = None

    def used_uj(self, before: int, after: int) -> int:
        """Microjoules between two readings less than one whole range apart."""
        if after >= before or self.range_uj is None:
            return after - before
        return after - before + self.range_uj


@dataclass(frozen=True)
class EnergyMeter:
    """Several counters as one, e.g. the processors of a machine with two sockets."""

    counters: Sequence[EnergyCounter]

    @classmethod
    def of_cpu(cls, root: Path = Path("/")) -> EnergyMeter:
        """The packages' RAPL counters of Intel and AMD processors (Linux powercap; often readable to root only)."""
        # intel-rapl:0:0 and the like are parts of the package intel-rapl:0.
        packages = [f for f in (root / "sys/class/powercap").glob("intel-rapl:*") if f.name.count(":") == 1]
        ranges = {f / "energy_uj": read_number(f / "max_energy_range_uj") for f in sorted(packages)}
        return cls([EnergyCounter(partial(read_number, f), range_uj) for f, range_uj in ranges.items()])

    def read_uj(self) -> tuple[int, ...] | None:
        """Every counter's reading, or None when there is none or one of them cannot be read."""
        readings = [counter.read_uj() for counter in self.counters]
        known = tuple(r for r in readings if r is not None)
        return known if known and len(known) == len(readings) else None

    def used_mj(self, before: Sequence[int], after: Sequence[int]) -> float:
        """Millijoules between two readings."""
        return sum(c.used_uj(b, a) for c, b, a in zip(self.counters, before, after, strict=True)) / 1e3


def energy_mj_per_run(run: Callable[[], None], seconds: float, meter: EnergyMeter) -> float | None:
    """Millijoules that one run costs the whole device, over a window of `seconds`; None where unreadable.

    The meter's counters see all that the package or GPU does meanwhile, idling and neighbours included: measure on a
    quiet device, for a second or more (counters move in steps of 1 ms on processors, of up to 100 ms on GPUs).
    """
    before, runs, end = meter.read_uj(), 0, time.perf_counter() + seconds
    if before is None:
        return None
    while runs == 0 or time.perf_counter() < end:
        run()
        runs += 1
    after = meter.read_uj()
    used = 0.0 if after is None else meter.used_mj(before, after)
    return used / runs if used > 0 else None  # a counter that stands still or was reset tells nothing
