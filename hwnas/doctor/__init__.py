"""What of this machine is fit to measure, and what is installed: one finding per check, with its fix."""

from hwnas.doctor.examine import examine
from hwnas.doctor.finding import Finding, Level

__all__ = ["Finding", "Level", "examine"]
