"""CUDA by pycuda; graphs, which it does not know, by the driver's library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from latency_tables import ProfilerError
from latency_tables.errors import installed
from profilers.device.cuda._base import Cuda
from profilers.device.cuda.driver import Driver, Graphs, kernel_driver

_NON_BLOCKING = 1


class PycudaCuda(Cuda):
    """GPU `index`. Raises `ProfilerError` when pycuda, the driver or the GPU is not there."""

    def __init__(self, index: int = 0):
        self._cuda = cuda = installed("pycuda", "pycuda", "pycuda.driver")
        try:
            cuda.init()
            self._device = cuda.Device(index)
            # The primary one, where TensorRT lives; pycuda.autoinit would make another.
            self._context = self._device.retain_primary_context()
            self._context.push()
            self._stream = cuda.Stream(_NON_BLOCKING)
        except cuda.Error as e:
            raise ProfilerError(f"no NVIDIA GPU {index}: {e}") from None
        self.stream = int(self._stream.handle)
        self._graphs = Graphs(Driver(), self.stream)
        self._memory: list[Any] = []
        self._events: dict[int, Any] = {}

    def info(self) -> dict[str, str]:
        version = self._cuda.get_driver_version()
        return {
            "gpu": str(self._device.name()),
            "capability": "{}.{}".format(*self._device.compute_capability()),
            "driver": kernel_driver(),
            "cuda": f"{version // 1000}.{version % 1000 // 10}",
        }

    def l2_bytes(self) -> int:
        return int(self._device.get_attribute(self._cuda.device_attribute.L2_CACHE_SIZE))

    def allocate(self, size: int) -> int:
        self._memory.append(self._cuda.mem_alloc(size))
        return int(self._memory[-1])

    def pinned(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        array: NDArray[Any] = self._cuda.pagelocked_empty(shape, dtype)
        return array

    def to_device(self, address: int, host: NDArray[Any]) -> None:
        self._cuda.memcpy_htod_async(address, host, self._stream)

    def to_host(self, host: NDArray[Any], address: int) -> None:
        self._cuda.memcpy_dtoh_async(host, address, self._stream)

    def fill(self, address: int, size: int) -> None:
        self._cuda.memset_d8_async(address, 0, size, self._stream)

    def event(self) -> int:
        event = self._cuda.Event()
        self._events[len(self._events)] = event
        return len(self._events) - 1

    def record(self, event: int) -> None:
        self._events[event].record(self._stream)

    def elapsed_us(self, start: int, end: int) -> float:
        self._events[end].synchronize()
        return 1e3 * float(self._events[end].time_since(self._events[start]))

    def capture(self, work: Callable[[], bool]) -> int | None:
        return self._graphs.capture(work)

    def launch(self, graph: int) -> None:
        self._graphs.launch(graph)

    def synchronise(self) -> None:
        self._stream.synchronize()

    def close(self) -> None:
        self._graphs.close()
        for memory in self._memory:
            memory.free()
        self._events.clear()
        self._context.pop()
