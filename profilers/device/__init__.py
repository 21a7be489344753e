"""What a device reports: name, clocks, temperature, throttling, memory, energy; and how to keep it quiet."""

from profilers.device.conditions import power_mode
from profilers.device.machine import cpu_name, quiet

__all__ = ["cpu_name", "power_mode", "quiet"]
