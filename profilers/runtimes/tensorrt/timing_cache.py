"""A timing cache on disk: what TensorRT measured of its kernels, kept with a key that says where that is true."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from latency_tables import ProfilerError
from latency_tables.storage.files import write_atomically, write_json
from latency_tables.storage.serialise import from_plain, parse_json


@dataclass(frozen=True)
class TimingKey:
    """All that must be the same for kernel times to be true again."""

    gpu: str
    capability: str
    driver: str
    cuda: str
    tensorrt: str
    level: int


def read_timing_cache(path: Path, key: TimingKey) -> bytes:
    """The cache in `path`, empty where there is none yet.

    Raises `ProfilerError` that names the field in which the cache is of another place: TensorRT itself would only warn,
    and start with an empty one.
    """
    try:
        there = from_plain(TimingKey, parse_json(_key_path(path).read_bytes()))
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as e:
        raise ProfilerError(f"cannot read the timing cache {path}: {e}; delete it") from None
    for field in fields(TimingKey):
        kept, now = getattr(there, field.name), getattr(key, field.name)
        if kept != now:
            raise ProfilerError(f"the timing cache {path} is of {field.name} {kept}, this is {now}; use another file")
    return content


def write_timing_cache(path: Path, key: TimingKey, content: bytes) -> None:
    """Keep the cache and its key; the key goes last, so that a half-written cache reads as none."""
    _key_path(path).unlink(missing_ok=True)
    write_atomically(path, content)
    write_json(_key_path(path), asdict(key))


def _key_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
