"""Inference runtimes, one file each, and how they are called."""

from profilers.runtimes.by_name import RUNTIMES, make_profiler, profiler_for

__all__ = ["RUNTIMES", "make_profiler", "profiler_for"]
