"""CUDA by ctypes on the driver's library: no package to install."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_float, c_int, c_size_t, c_uint, c_void_p
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.device.cuda._base import Cuda
from profilers.device.cuda.driver import Driver, Graphs, kernel_driver

_NON_BLOCKING = 1
_L2_BYTES, _MAJOR, _MINOR = 38, 75, 76  # CUdevice_attribute


class DriverCuda(Cuda):
    """GPU `index`. Raises `ProfilerError` when the driver or the GPU is not there."""

    def __init__(self, index: int = 0):
        driver = Driver()
        self._call = driver.call
        self._device, self._context = c_int(), c_void_p()
        self._memory: list[c_void_p] = []
        self._host: list[c_void_p] = []
        self._events: list[c_void_p] = []
        self._call("cuInit", c_uint(0))
        self._call("cuDeviceGet", byref(self._device), c_int(index))
        self._call("cuDevicePrimaryCtxRetain", byref(self._context), self._device)
        self._call("cuCtxPushCurrent_v2", self._context)
        stream = c_void_p()
        self._call("cuStreamCreate", byref(stream), c_uint(_NON_BLOCKING))
        self.stream = stream.value or 0
        self._graphs = Graphs(driver, self.stream)

    def _attribute(self, number: int) -> int:
        value = c_int()
        self._call("cuDeviceGetAttribute", byref(value), c_int(number), self._device)
        return value.value

    def info(self) -> dict[str, str]:
        name, version = ctypes.create_string_buffer(256), c_int()
        self._call("cuDeviceGetName", name, c_int(len(name)), self._device)
        self._call("cuDriverGetVersion", byref(version))
        cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
        capability = f"{self._attribute(_MAJOR)}.{self._attribute(_MINOR)}"
        return {"gpu": name.value.decode(), "capability": capability, "driver": kernel_driver(), "cuda": cuda}

    def l2_bytes(self) -> int:
        return self._attribute(_L2_BYTES)

    def allocate(self, size: int) -> int:
        address = c_void_p()
        self._call("cuMemAlloc_v2", byref(address), c_size_t(size))
        self._memory.append(address)
        return address.value or 0

    def pinned(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        size, address = prod(shape) * np.dtype(dtype).itemsize, c_void_p()
        self._call("cuMemAllocHost_v2", byref(address), c_size_t(max(size, 1)))
        self._host.append(address)
        assert address.value is not None
        memory = (ctypes.c_ubyte * size).from_address(address.value)
        array: NDArray[Any] = np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
        return array

    def to_device(self, address: int, host: NDArray[Any]) -> None:
        source, size, stream = c_void_p(host.ctypes.data), c_size_t(host.nbytes), c_void_p(self.stream)
        self._call("cuMemcpyHtoDAsync_v2", c_void_p(address), source, size, stream)

    def to_host(self, host: NDArray[Any], address: int) -> None:
        target, size, stream = c_void_p(host.ctypes.data), c_size_t(host.nbytes), c_void_p(self.stream)
        self._call("cuMemcpyDtoHAsync_v2", target, c_void_p(address), size, stream)

    def fill(self, address: int, size: int) -> None:
        self._call("cuMemsetD8Async", c_void_p(address), ctypes.c_ubyte(0), c_size_t(size), c_void_p(self.stream))

    def event(self) -> int:
        event = c_void_p()
        self._call("cuEventCreate", byref(event), c_uint(0))
        self._events.append(event)
        return event.value or 0

    def record(self, event: int) -> None:
        self._call("cuEventRecord", c_void_p(event), c_void_p(self.stream))

    def elapsed_us(self, start: int, end: int) -> float:
        milliseconds = c_float()
        self._call("cuEventSynchronize", c_void_p(end))
        self._call("cuEventElapsedTime", byref(milliseconds), c_void_p(start), c_void_p(end))
        return 1e3 * milliseconds.value

    def capture(self, work: Callable[[], bool]) -> int | None:
        return self._graphs.capture(work)

    def launch(self, graph: int) -> None:
        self._graphs.launch(graph)

    def synchronise(self) -> None:
        self._call("cuStreamSynchronize", c_void_p(self.stream))

    def close(self) -> None:
        self._graphs.close()
        for name, handles in (
            ("cuEventDestroy_v2", self._events),
            ("cuMemFree_v2", self._memory),
            ("cuMemFreeHost", self._host),
        ):
            while handles:
                self._call(name, handles.pop())
        self._call("cuStreamDestroy_v2", c_void_p(self.stream))
        self._call("cuCtxPopCurrent_v2", byref(c_void_p()))
        self._call("cuDevicePrimaryCtxRelease_v2", self._device)
