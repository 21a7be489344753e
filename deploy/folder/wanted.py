"""What is asked for, and of which network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from deploy.folder.manifest import FolderError, Milliseconds
from deploy.formats import FORMATS, Format, make_format
from deploy.manifest import Manifest
from deploy.onnx_file import DYNAMIC
from hwnas.data import Dataset
from hwnas.lowering.precision import PRECISIONS
from profilers import Int8Form, RuntimeSetting

_DYNAMIC = "dynamic"


@dataclass(frozen=True)
class Wanted:
    """Formats, precisions and batches, every combination of them; `DYNAMIC` is a batch of any size.

    `capabilities`: compute capabilities that engines are built for, none: of the GPU that is here. A model that loses
    more than `max_drop_points` percentage points of accuracy against fp32 is left out. `measure`: whether each is
    timed here.
    """

    formats: tuple[str, ...] = ("onnx",)
    precisions: tuple[str, ...] = ("fp32",)
    batches: tuple[int, ...] = (1,)
    capabilities: tuple[str, ...] = ()
    max_drop_points: float = 1.0
    threads: int = 1
    measure: bool = True

    @classmethod
    def of_texts(cls, formats: str, precisions: str, batches: str, capabilities: str = "", **rest: object) -> Wanted:
        """From lists with commas; a batch may be "dynamic". Raises `FolderError` for what is unknown."""
        for given, known in ((formats, tuple(FORMATS)), (precisions, PRECISIONS)):
            if unknown := [name for name in listed(given) if name not in known]:
                raise FolderError(f"unknown {unknown[0]!r}; there are {', '.join(known)}")
        sizes = tuple(map(_batch, listed(batches)))
        return cls(listed(formats), listed(precisions), sizes, listed(capabilities), **rest)  # type: ignore[arg-type]

    def each(self) -> Iterator[tuple[str, Format, int]]:
        """Precision, format and batch of every model that is asked for, fp32 first: others are compared with it."""
        formats = [make_format(name, self.capabilities) for name in self.formats]
        precisions = sorted(self.precisions, key=PRECISIONS.index)
        return iter(product(precisions, formats, self.batches))


@dataclass(frozen=True)
class Handed:
    """A trained network, and the data it is about.

    `files` are ONNX files of it for one image, their contracts inside: the fp32 one, then those of other precisions
    that there are already, each with its form of int8. `predicted` is the latency model's word for a setting, None
    where it has none.
    """

    name: str
    files: tuple[tuple[bytes, Manifest, Int8Form], ...]
    data: Dataset
    predicted: Callable[[RuntimeSetting], Milliseconds | None] = lambda setting: None


def listed(text: str) -> tuple[str, ...]:
    """Names with commas between, each once."""
    names = [name.strip() for name in text.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def _batch(text: str) -> int:
    if text == _DYNAMIC:
        return DYNAMIC
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise FolderError(f"a batch is 1 to 4096 or {_DYNAMIC!r}, got {text!r}")
    return int(text)


def model_name(name: str, precision: str, runtime: str, batch: int) -> str:
    """NAME-PRECISION-RUNTIME, and the batch where it is not one image."""
    suffix = {1: "", DYNAMIC: f"-{_DYNAMIC}"}.get(batch, f"-b{batch}")
    return f"{name}-{precision}-{runtime}{suffix}"
