"""What an NVIDIA GPU reports through NVML: clock, temperature, throttling, energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers.device.conditions import Conditions

# Hardware protection, heat by software and by hardware, power brake: NVML's bits, whose names differ between versions.
# Not the software power cap: at full load that is a big GPU's normal state.
_SLOWDOWNS = 0x08 | 0x20 | 0x40 | 0x80
_REASONS = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")  # before driver 535


class NvidiaGpu:
    """One GPU by its index; stays open, since opening NVML takes longer than all of its readings.

    Raises `ProfilerError` when nvidia-ml-py, the driver or the GPU is not there.
    """

    def __init__(self, index: int = 0):
        self._nvml = pynvml = installed("nvidia-ml-py", "nvidia", module="pynvml")
        try:
            pynvml.nvmlInit()
            self._gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
        except pynvml.NVMLError as e:
            raise ProfilerError(f"no NVIDIA GPU {index} to ask: {e}; is its driver installed?") from None

    @property
    def name(self) -> str:
        """The GPU's model, e.g. NVIDIA H100 80GB HBM3."""
        return str(self._nvml.nvmlDeviceGetName(self._gpu))

    def conditions(self) -> Conditions:
        """One reading; call it outside timed loops."""
        nvml = self._nvml
        clock = self._read(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM)
        temperature = self._read(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU)
        told = (self._read(getattr(nvml, name)) for name in _REASONS if hasattr(nvml, name))
        reasons = next((reasons for reasons in told if reasons is not None), None)
        return Conditions(
            clock_mhz=None if clock is None else float(clock),
            temperature_c=None if temperature is None else float(temperature),
            throttled=None if reasons is None else bool(reasons & _SLOWDOWNS),
        )

    def energy_uj(self) -> int | None:
        """Energy used since the driver was loaded, in microjoules; None before Volta."""
        millijoules = self._read(self._nvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else millijoules * 1000

    def _read(self, ask: Callable[..., Any], *more: Any) -> int | None:
        try:
            return int(ask(self._gpu, *more))
        except self._nvml.NVMLError:  # this GPU does not tell, or not to everybody
            return None

    def close(self) -> None:
        """Close NVML."""
        self._nvml.nvmlShutdown()
