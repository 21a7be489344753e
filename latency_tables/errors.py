"""The one exception family that people see: a single line that says what is wrong and how to fix it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class HwnasError(Exception):
    """Something the user can fix; the command line prints it as one line and exits with code 2."""


class TableError(HwnasError):
    """A latency table that cannot be read, or that was made for something else."""


class MissingOpError(TableError):
    """The table has no time for an op; never treated as 0 ms."""


class ProfilerError(HwnasError):
    """A runtime that is not installed, does not know an option, or refuses a model."""


class NotInstalledError(ProfilerError):
    """A package is missing; `extra` is the extra of hwnas that brings it."""

    def __init__(self, package: str, extra: str):
        super().__init__(f"{package} is not installed: pip install 'hwnas[{extra}]'")
        self.package = package


def installed(package: str, extra: str, module: str = "") -> Any:
    """An optional package, by its module where that has another name; raises `NotInstalledError` without it."""
    try:
        return import_module(module or package)
    except ImportError:
        raise NotInstalledError(package, extra) from None
