"""NVIDIA's package, whichever of the two is asked for: every difference between versions stands in this file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from latency_tables import ProfilerError
from latency_tables.errors import NotInstalledError

TENSORRT, TENSORRT_RTX = "tensorrt", "tensorrt-rtx"
_MODULES = {TENSORRT: "tensorrt", TENSORRT_RTX: "tensorrt_rtx"}
_OLDEST = (10, 3)


class TensorRt:
    """One of the two packages: its module as `trt`, its one logger, and what its versions say differently."""

    def __init__(self, name: str, module: Any):
        self.name, self.trt = name, module
        self.version = str(module.__version__)
        self.logger = _logger(module)

    @property
    def is_rtx(self) -> bool:
        """TensorRT for RTX builds without a GPU, for a GPU that it is told."""
        return self.name == TENSORRT_RTX

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """What the package says meanwhile, a message an item; reasons of failures stand only there."""
        before, self.logger.messages = self.logger.messages, []
        try:
            yield self.logger.messages
        finally:
            self.logger.messages = before

    def strongly_typed(self) -> int:
        """Flags of `create_network` under which every version takes precisions from the model alone."""
        return 1 << int(self.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)

    def capability(self, text: str) -> Any:
        """The package's word for "8.6"; raises `ProfilerError` that lists those which it can build for."""
        known = getattr(self.trt, "ComputeCapability", None)
        if (found := getattr(known, f"SM{text.replace('.', '')}", None)) is None:
            numbers = [name[2:] for name in getattr(known, "__members__", ()) if name.startswith("SM")]
            able = ", ".join(f"{number[:-1]}.{number[-1]}" for number in numbers) or "the GPU that is there alone"
            raise ProfilerError(f"{self.name} {self.version} cannot build for capability {text}, only for {able}")
        return found

    def option(self, enum: str, name: str) -> Any:
        """A value of an enum that not every version has; raises `ProfilerError` that says which version lacks it."""
        value = getattr(getattr(self.trt, enum, None), name, None)
        if value is None:
            raise ProfilerError(f"{self.name} {self.version} has no {enum}.{name}; leave that option out")
        return value


@cache  # the package takes one logger per process, so there is one object per package
def find_tensorrt(name: str) -> TensorRt:
    """The package of that name. Raises `HwnasError` that says how to install it, or that it is too old."""
    try:
        module = import_module(_MODULES[name])
    except ImportError as e:
        if name == TENSORRT and e.name != "tensorrt":
            raise ProfilerError(f"tensorrt is installed, but a library of it does not load: {e}") from None
        raise NotInstalledError(_MODULES[name], name) from None
    version = tuple(int(part) for part in module.__version__.split(".")[:2])
    if name == TENSORRT and version < _OLDEST:
        raise ProfilerError(f"tensorrt {module.__version__} is too old: 10.3 or newer is needed")
    return TensorRt(name, module)


def _logger(module: Any) -> Any:
    class Logger(module.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.messages: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            self.messages.append(message)

    return Logger()
