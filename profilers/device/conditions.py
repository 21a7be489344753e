"""How the device was doing while it was measured: clock, temperature, throttling, as far as the system tells.

Two readings frame a visit and none is made inside a timed loop. Only the few files that matter are read, by name:
asking for every sensor of a machine takes milliseconds and wakes cores that should sleep.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path("/")
_THERMOMETERS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal")  # drivers of a processor's own sensor
_COOLING = ("cpufreq", "thermal-cpufreq", "Processor")  # what slows a processor down, by the start of its name
_RASPBERRY_LIMITS = 0b1110  # frequency capped, throttled, soft temperature limit: as of now


@dataclass(frozen=True)
class Conditions:
    """One reading; None is what the system does not tell.

    `throttled`: whether the device holds itself back right now. `throttle_events`: how often it did since it started,
    for systems that count; see `was_throttled`.
    """

    clock_mhz: float | None = None
    temperature_c: float | None = None
    throttled: bool | None = None
    throttle_events: int | None = None
    governor: str | None = None


def was_throttled(before: Conditions, after: Conditions) -> bool | None:
    """Whether the device held itself back at either reading or in between; None when the system tells neither."""
    told = [c.throttled for c in (before, after) if c.throttled is not None]
    if before.throttle_events is not None and after.throttle_events is not None:
        told.append(after.throttle_events > before.throttle_events)
    return any(told) if told else None


def read_conditions(root: Path = _ROOT, cores: Sequence[int] | None = None) -> Conditions:
    """How the processor is doing now: the cores this process is pinned to (eight at most), or those named.

    `root` is where the system's files lie. On Linux from a handful of files, elsewhere from psutil where it is there.
    """
    cores = _pinned() if cores is None else cores
    folders = [root / f"sys/devices/system/cpu/cpu{core}" for core in cores]
    counters = [f / "thermal_throttle" / f"{part}_throttle_count" for f in folders for part in ("core", "package")]
    events = [n for n in map(read_number, counters) if n is not None]
    degrees = [n / 1e3 for n in map(read_number, _thermometers(root)) if n is not None and -100_000 < n < 200_000]
    return Conditions(
        clock_mhz=_clock_mhz(root, folders[-1]),
        temperature_c=max(degrees, default=None),
        throttled=_throttled(root),
        throttle_events=sum(events) if events else None,
        governor=read_text(folders[-1] / "cpufreq/scaling_governor"),
    )


def power_mode() -> str:
    """The CPU frequency governor, or 'unknown' where the system does not show it."""
    return read_text(_ROOT / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown"


def _pinned() -> list[int]:
    if not hasattr(os, "sched_getaffinity"):
        return [0]
    return sorted(os.sched_getaffinity(0))[-8:]


def read_text(path: Path) -> str | None:
    """The text of a file without the space around it, None where that cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return None


def read_number(path: Path, base: int = 10) -> int | None:
    """The integer in a file, None where that cannot be read."""
    try:
        return int(path.read_text(), base)
    except (OSError, ValueError):
        return None


def _clock_mhz(root: Path, core: Path) -> float | None:
    if khz := read_number(core / "cpufreq/scaling_cur_freq"):
        return khz / 1e3
    with contextlib.suppress(OSError, ValueError), open(root / "proc/cpuinfo") as file:
        # The first processor is in the first lines; the kernel asks every core whose lines are read.
        for line in file.read(4096).splitlines():
            if line.startswith("cpu MHz"):
                return float(line.partition(":")[2]) or None
    return None if sys.platform == "linux" else _psutil_clock_mhz()


def _psutil_clock_mhz() -> float | None:
    try:
        import psutil  # a board may lack it

        frequency = psutil.cpu_freq()
    except (ImportError, OSError, NotImplementedError):
        return None
    return float(frequency.current) if frequency and frequency.current else None


@cache
def _thermometers(root: Path) -> tuple[Path, ...]:
    """The files of the processor's own sensors, one per socket; looked for once."""
    chips = [f for f in (root / "sys/class/hwmon").glob("hwmon*") if read_text(f / "name") in _THERMOMETERS]
    if found := [f / "temp1_input" for f in chips if (f / "temp1_input").exists()]:
        return tuple(sorted(found))
    zones = {f: (read_text(f / "type") or "").lower() for f in (root / "sys/class/thermal").glob("thermal_zone*")}
    return tuple(sorted(f / "temp" for f, kind in zones.items() if kind == "x86_pkg_temp" or "cpu" in kind))


@cache
def _coolers(root: Path) -> tuple[Path, ...]:
    """The files that say how far the kernel slows the processor down to cool it; looked for once."""
    devices = (root / "sys/class/thermal").glob("cooling_device*")
    return tuple(sorted(f / "cur_state" for f in devices if (read_text(f / "type") or "").startswith(_COOLING)))


def _throttled(root: Path) -> bool | None:
    told = [state > 0 for state in map(read_number, _coolers(root)) if state is not None]
    raspberry = read_number(root / "sys/devices/platform/soc/soc:firmware/get_throttled", 16)
    if raspberry is not None:
        told.append(bool(raspberry & _RASPBERRY_LIMITS))
    return any(told) if told else None
