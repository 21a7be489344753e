"""What the system tells of how it runs its processor. None is what it does not tell."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from profilers.device.conditions import Conditions, read_conditions, read_text

_ROOT = Path("/")
_BOOST = {  # file -> what it says when the clock may rise above its base
    "sys/devices/system/cpu/intel_pstate/no_turbo": "0",
    "sys/devices/system/cpu/cpufreq/boost": "1",
}


@dataclass(frozen=True)
class Boost:
    """Whether the clock may rise above its base, and the command that keeps it from it."""

    on: bool
    switch_off: str


@dataclass(frozen=True)
class Ticks:
    """Clock ticks since the system started: those that another virtual machine took, and all."""

    stolen: int
    total: int

    def stolen_pct(self, before: Ticks) -> float:
        """Percent stolen since `before`."""
        return 100 * (self.stolen - before.stolen) / max(self.total - before.total, 1)


@dataclass(frozen=True)
class Readings:
    """One look at the machine: the cores that this process may use, `load` tasks that run or wait, ..."""

    cores: int
    conditions: Conditions
    boost: Boost | None
    can_pin: bool
    load: float | None
    quota_cores: float | None


def read_machine(root: Path = _ROOT) -> Readings:
    """How the machine stands now; `root` is where the system's files lie."""
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = os.getloadavg()[0]
    return Readings(_cores(), read_conditions(root), read_boost(root), _can_pin(), load, read_quota_cores(root))


def read_boost(root: Path = _ROOT) -> Boost | None:
    """Turbo of Intel's driver, or boost of any other."""
    for name, on in _BOOST.items():
        if (value := read_text(root / name)) is not None:
            return Boost(value == on, f"echo {1 - int(on)} | sudo tee /{name}")
    return None


def read_ticks(root: Path = _ROOT) -> Ticks | None:
    """The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, and two that user holds."""
    words = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None
    ticks = [int(word) for word in words[1:9]]
    return Ticks(ticks[7], sum(ticks))


def read_quota_cores(root: Path = _ROOT) -> float | None:
    """How many cores' time the control groups of this process grant it (the least of all levels); None: no limit."""
    quotas = []
    base = root / "sys/fs/cgroup"
    group = (read_text(root / "proc/self/cgroup") or "").rpartition("0::/")[2].partition("\n")[0]
    folder = base / group
    for level in (folder, *folder.parents):
        if (words := (read_text(level / "cpu.max") or "").split()) and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
        if level == base:
            break
    old = [read_text(base / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    if old[0] is not None and old[1] is not None and int(old[0]) > 0:
        quotas.append(int(old[0]) / int(old[1]))
    return min(quotas, default=None)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_pin() -> bool:
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))
    except (OSError, AttributeError):
        return False
    return True
