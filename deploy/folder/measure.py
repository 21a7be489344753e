"""Milliseconds of a model's files on this machine, in fresh processes, whatever its format."""

from __future__ import annotations

from deploy.folder.manifest import Milliseconds
from deploy.formats import Files, make_format
from deploy.formats.requests import isolated_visits
from hwnas.lowering.reference import reference_model
from latency_tables import Measurement, quiet_reference_us, summarise
from profilers import RuntimeSetting

_PROCESSES, _VISITS = 3, 4


def measure_files(format: str, files: Files, setting: RuntimeSetting) -> Milliseconds:
    """How long one batch takes: the median over processes, at the speed of the reference network's quiet moments.

    The reference is the project's, in the same precision and runtime, so files are compared side by side though each
    has its own. Raises `ProfilerError` when the runtime refuses the files, or does not compute as the setting says.
    """
    reference = reference_model(setting.precision, make_format(format).int8_form)
    visits: list[Measurement] = []
    for process in range(_PROCESSES):
        visits += isolated_visits(format, files, setting, reference, process, _VISITS)
    quiet_us = quiet_reference_us(visits)
    said, quiet_ms = summarise(visits, quiet_us), quiet_us / 1e3
    low, high = said.ratio_ci95
    return Milliseconds(said.ratio * quiet_ms, low * quiet_ms, high * quiet_ms)
