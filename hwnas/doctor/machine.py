"""Is this machine fit to measure? One small function per check, from what was read to a finding."""

from __future__ import annotations

import numpy as np

from hwnas.doctor import Finding
from hwnas.doctor.readings import Boost, Readings
from latency_tables.arrays import Floats
from profilers.device.conditions import Conditions

_BUSY = 0.25  # tasks per core that run beside us
_STOLEN_PCT = 1.0
_HOT_C = 90.0
_NOISY_PCT = 2.0  # what an op's interval of 1 % can still be averaged from


def machine_findings(machine: Readings) -> list[Finding]:
    """Every check that needs no measurement."""
    return [
        governor(machine.conditions.governor),
        boost(machine.boost),
        pinning(machine.can_pin),
        load(machine.load, machine.cores),
        quota(machine.quota_cores, machine.cores),
        throttling(machine.conditions),
        temperature(machine.conditions.temperature_c),
    ]


def _judged(name: str, fine: bool, text: str, complaint: str, fix: str) -> Finding:
    """In order, or `complaint` about what was read and what to do."""
    return Finding(name, "ok", text) if fine else Finding(name, "fix", text + complaint, fix)


def governor(name: str | None) -> Finding:
    """The clock should not follow the load."""
    if name is None:
        return Finding("governor", "ok", "not shown here (a virtual machine?), so nothing to set")
    fix = "sudo cpupower frequency-set --governor performance"
    return _judged("governor", name == "performance", name, ": the clock follows the load", fix)


def boost(boost: Boost | None) -> Finding:
    """A clock above its base depends on how warm the processor is."""
    if boost is None:
        return Finding("boost", "ok", "not shown here, so nothing to set")
    text = "on" if boost.on else "off"
    return _judged("boost", not boost.on, text, ": the clock depends on the temperature", boost.switch_off)


def pinning(possible: bool) -> Finding:
    """A task that moves between cores loses its caches."""
    if possible:
        return Finding("pinning", "ok", "a measurement can be pinned to its cores")
    return Finding("pinning", "note", "this system pins no process to cores", "expect wider intervals, or use Linux")


def load(tasks: float | None, cores: int) -> Finding:
    """Whether other work shares the cores."""
    if tasks is None:
        return Finding("load", "ok", "not shown here")
    text = f"{tasks:.2f} tasks on {cores} cores in the last minute"
    fix = "stop it while measuring (`top` names it)"
    return _judged("load", tasks <= _BUSY * cores, text, ": other work shares them", fix)


def steal(stolen_pct: float | None) -> Finding:
    """Whether other virtual machines share the cores."""
    if stolen_pct is None:
        return Finding("steal", "ok", "not shown here")
    text = f"{stolen_pct:.1f} % of the time went to other virtual machines"
    fix = "measure on a machine with cores of its own (a dedicated host)"
    return _judged("steal", stolen_pct <= _STOLEN_PCT, text, "", fix)


def quota(quota_cores: float | None, cores: int) -> Finding:
    """A control group that has used up its time stands still until the next period."""
    if quota_cores is None:
        return Finding("quota", "ok", "no limit on processor time")
    text = f"{quota_cores:g} cores' time for {cores} cores"
    fix = "give the container cores instead of time (docker run --cpuset-cpus, not --cpus)"
    return _judged("quota", quota_cores >= cores, text, ": whoever uses it up is stopped for a while", fix)


def throttling(conditions: Conditions) -> Finding:
    """Whether the device holds itself back."""
    if conditions.throttled is None:
        return Finding("throttling", "ok", "not shown here")
    text = "the device holds itself back now" if conditions.throttled else "none"
    return _judged("throttling", not conditions.throttled, text, "", "cool it, or check its power supply")


def temperature(celsius: float | None) -> Finding:
    """Whether the device is about to hold itself back."""
    if celsius is None:
        return Finding("temperature", "ok", "not shown here")
    fix = "cool the device or wait before measuring"
    return _judged("temperature", celsius < _HOT_C, f"{celsius:.0f} C", "", fix)


def noise(ratios: Floats) -> Finding:
    """How far visits to the same network, each a ratio to the reference [n], lie apart."""
    low, high = np.quantile(ratios, [0.05, 0.95])
    half_pct = 100 * float(high - low) / 2 / float(np.median(ratios))
    text = f"90 % of {len(ratios)} visits to the reference network are within +-{half_pct:.1f} %"
    fix = "stop other work and fix what is found above; then measure again"
    return _judged("noise", half_pct <= _NOISY_PCT, text, "", fix)
