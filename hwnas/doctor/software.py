"""Which runtimes and extras are there, and what to install for the others."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from hwnas.doctor import Finding
from latency_tables import ProfilerError
from profilers.device.nvidia import NvidiaGpu
from profilers.runtimes import RUNTIMES, make_profiler

_NOT_FOR_USERS = ("dev", "rivals")
_DEVICES = {"cuda": "NVIDIA GPU", "tensorrt": "NVIDIA GPU", "rtx": "NVIDIA GPU", "gpu": "Intel GPU", "npu": "Intel NPU"}


@dataclass(frozen=True)
class RuntimeState:
    """One runtime by its name: what it runs on, its version, or why it cannot be used here and what to do."""

    name: str
    device_kind: str
    version: str | None
    problem: str | None

    @property
    def ready(self) -> bool:
        """Whether it can be measured with."""
        return self.problem is None


def runtime_states() -> list[RuntimeState]:
    """Every runtime that `--runtime` knows."""
    return [_state(name) for name in RUNTIMES]


def _state(name: str) -> RuntimeState:
    kind = _DEVICES.get(name.rpartition("-")[2], "CPU")
    try:
        version = (
            _torch_version(name) if name.startswith("torch") else make_profiler(name, 1, 1).target().runtime_version
        )
    except ProfilerError as e:
        return RuntimeState(name, kind, None, str(e))
    return RuntimeState(name, kind, version, None)


def _torch_version(name: str) -> str:
    """As its profiler says, without importing torch, which takes seconds."""
    if find_spec("torch") is None:
        raise ProfilerError("torch is not installed: pip install 'hwnas[search]'")
    if name.endswith("cuda"):
        NvidiaGpu().close()
    return importlib.metadata.version("torch")


def runtime_findings(states: Sequence[RuntimeState]) -> list[Finding]:
    """One finding per runtime; a machine without any cannot measure."""
    findings = [
        Finding(f"runtime {s.name}", "ok", f"{s.version} on {s.device_kind}")
        if s.problem is None
        else Finding(f"runtime {s.name}", "note", "not here", s.problem)
        for s in states
    ]
    if not any(s.ready for s in states):
        findings.append(Finding("runtimes", "fix", "there is none to measure with", "pip install 'hwnas[onnxruntime]'"))
    return findings


def extras_of(requirements: Iterable[str]) -> dict[str, list[str]]:
    """Extra -> the distributions it asks for, from the requirements of a distribution's metadata."""
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        found = re.match(r"""([\w.-]+).*extra == ["']([\w-]+)["']""", requirement)
        if found and found[2] not in _NOT_FOR_USERS and found[1] != "hwnas":
            extras.setdefault(found[2], []).append(found[1])
    return extras


def extra_findings(extras: Mapping[str, Sequence[str]], installed: Iterable[str]) -> list[Finding]:
    """One finding per extra; `installed` are distributions."""
    known = set(installed)
    findings = []
    for extra, needed in extras.items():
        if lacking := [name for name in needed if name not in known]:
            fix = f"pip install 'hwnas[{extra}]'"
            findings.append(Finding(f"extra {extra}", "note", f"lacks {', '.join(lacking)}", fix))
        else:
            findings.append(Finding(f"extra {extra}", "ok", ", ".join(needed)))
    return findings


def read_extras() -> tuple[dict[str, list[str]], set[str]]:
    """The extras of hwnas and which of their distributions are installed; nothing where hwnas itself is not."""
    try:
        extras = extras_of(importlib.metadata.requires("hwnas") or ())
    except importlib.metadata.PackageNotFoundError:
        return {}, set()
    return extras, {name for needed in extras.values() for name in needed if _installed(name)}


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
