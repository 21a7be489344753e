"""All checks in the order in which their findings are told."""

from __future__ import annotations

from hwnas.doctor.finding import Finding
from hwnas.doctor.machine import machine_findings, noise, steal
from hwnas.doctor.noise import measure_noise
from hwnas.doctor.readings import read_machine, read_ticks
from hwnas.doctor.software import extra_findings, read_extras, runtime_findings, runtime_states
from latency_tables import HwnasError
from latency_tables.progress import Progress, silent


def examine(progress: Progress = silent) -> list[Finding]:
    """Look at this machine for about ten seconds: what would disturb a measurement, and what is installed."""
    findings = machine_findings(read_machine())  # before the noise is measured, which is a load itself
    before = read_ticks()
    noise_floor = _noise(progress)
    after = read_ticks()
    stolen = None if before is None or after is None else after.stolen_pct(before)
    software = [*runtime_findings(runtime_states()), *extra_findings(*read_extras())]
    return [*findings, steal(stolen), noise_floor, *software]


def _noise(progress: Progress) -> Finding:
    try:
        return noise(measure_noise(progress))
    except (HwnasError, ImportError) as e:
        return Finding("noise", "note", f"not measured: {e}", "pip install 'hwnas[onnxruntime]'")
