"""The driver's own library by ctypes, and graphs, which pycuda does not know."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_char_p, c_int, c_ulonglong, c_void_p
from pathlib import Path
from typing import Any

from latency_tables import ProfilerError

_LIBRARY = "libcuda.so.1"
_THREAD_LOCAL, _SUCCESS = 1, 0  # CUstreamCaptureMode as trtexec takes it; CUresult


class Driver:
    """Calls of the driver's library. Raises `ProfilerError` when it is not there."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError:
            raise ProfilerError(f"there is no {_LIBRARY}: install the driver of the NVIDIA GPU") from None

    def code(self, name: str, *arguments: Any) -> int:
        """What the call gives back, 0 for success."""
        return int(getattr(self._library, name)(*arguments))

    def call(self, name: str, *arguments: Any) -> None:
        """Raises `ProfilerError` with CUDA's reason when the call fails."""
        if (code := self.code(name, *arguments)) != _SUCCESS:
            reason = c_char_p()
            self._library.cuGetErrorString(c_int(code), byref(reason))
            said = reason.value.decode() if reason.value else f"error {code}"
            raise ProfilerError(f"CUDA's {name} failed: {said}")


class Graphs:
    """What was put into a stream, captured to be launched again with one call."""

    def __init__(self, driver: Driver, stream: int):
        self._driver, self._stream = driver, c_void_p(stream)
        self._made: list[c_void_p] = []

    def capture(self, work: Callable[[], bool]) -> int | None:
        """As `Cuda.capture`. What `work` asks for must have run once before."""
        graph, executable = c_void_p(), c_void_p()
        self._driver.call("cuStreamBeginCapture_v2", self._stream, c_int(_THREAD_LOCAL))
        done = work()
        ended = self._driver.code("cuStreamEndCapture", self._stream, byref(graph))
        if not done or ended != _SUCCESS or not graph.value:
            return None
        self._driver.call("cuGraphInstantiateWithFlags", byref(executable), graph, c_ulonglong(0))
        self._driver.call("cuGraphDestroy", graph)
        self._made.append(executable)
        return executable.value

    def launch(self, graph: int) -> None:
        """Put a graph into the stream."""
        self._driver.call("cuGraphLaunch", c_void_p(graph), self._stream)

    def close(self) -> None:
        """Free all graphs."""
        while self._made:
            self._driver.call("cuGraphExecDestroy", self._made.pop())


def kernel_driver() -> str:
    """The version of the driver's kernel module; empty where it does not tell (Jetson)."""
    try:
        return Path("/sys/module/nvidia/version").read_text().strip()
    except OSError:
        return ""
