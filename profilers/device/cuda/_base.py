"""The plug-in point of CUDA: memory, one stream, events and graphs of one GPU, in its primary context."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray


class Cuda(ABC):
    """One GPU in its primary context, where TensorRT lives too. Use as a context manager.

    Addresses, streams, events and graphs are the driver's own handles, as integers. Every call raises `ProfilerError`
    that names the call and CUDA's reason when it fails.
    """

    stream: int
    """The stream that all work goes into; not the default one, which would wait for every other."""

    @abstractmethod
    def info(self) -> dict[str, str]:
        """`gpu`, `capability` ("8.6"), `driver` and `cuda`: what plans and timing caches are true for."""

    @abstractmethod
    def l2_bytes(self) -> int:
        """Bytes of the GPU's level-2 cache."""

    @abstractmethod
    def allocate(self, size: int) -> int:
        """The address of `size` bytes on the GPU, until this is closed."""

    @abstractmethod
    def pinned(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """An array on the host that the GPU copies from and to without a detour; lives until this is closed."""

    @abstractmethod
    def to_device(self, address: int, host: NDArray[Any]) -> None:
        """Copy a pinned array to the GPU, in the stream."""

    @abstractmethod
    def to_host(self, host: NDArray[Any], address: int) -> None:
        """Copy from the GPU into a pinned array, in the stream."""

    @abstractmethod
    def fill(self, address: int, size: int) -> None:
        """Set `size` bytes to zero, in the stream; of more than `l2_bytes` it empties that cache."""

    @abstractmethod
    def event(self) -> int:
        """A new event that can be timed."""

    @abstractmethod
    def record(self, event: int) -> None:
        """Mark this point of the stream."""

    @abstractmethod
    def elapsed_us(self, start: int, end: int) -> float:
        """Microseconds between two recorded events, by the GPU's clock; waits for the second."""

    @abstractmethod
    def capture(self, work: Callable[[], bool]) -> int | None:
        """What `work` puts into the stream as a graph; None when it says False, or cannot be captured."""

    @abstractmethod
    def launch(self, graph: int) -> None:
        """Put a graph into the stream."""

    @abstractmethod
    def synchronise(self) -> None:
        """Wait until the stream is empty."""

    @abstractmethod
    def close(self) -> None:
        """Free all that was made here, and leave the context."""

    def __enter__(self) -> Cuda:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
