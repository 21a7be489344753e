"""Inference runtimes, one file each, and how they are called."""

from profilers.runtimes.by_name import RUNTIMES, make_profiler

__all__ = ["RUNTIMES", "make_profiler"]
