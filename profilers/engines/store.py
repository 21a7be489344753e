"""Engines on disk: what one process has built, the next ones start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from latency_tables import Target
from latency_tables.storage.files import digest_json, write_atomically
from latency_tables.storage.serialise import from_plain
from latency_tables.storage.signed import parse_signed, signed_bytes
from profilers.engines.engine import Engine
from profilers.engines.layers import EngineLayer
from profilers.engines.proof import Proof


@dataclass(frozen=True)
class _Index:
    """What is kept of an engine beside its content."""

    content_sha256: str
    layers: tuple[EngineLayer, ...]
    proof: Proof | None
    built_with: Mapping[str, str]
    seconds: float


class EngineStore:
    """The engines that a runtime built for one target, in `folder`; those of another target are apart.

    The content of an engine that is the model itself is not written once more. What is damaged, or was written by
    another version of hwnas, counts as not there and is built again.
    """

    def __init__(self, folder: Path, target: Target):
        self._folder = folder / digest_json(vars(target) | {"power_mode": ""})[:16]

    def load(self, model: bytes, model_sha256: str) -> Engine | None:
        """The engine of a model, None when it is to be built."""
        index_path, content_path = self._paths(model_sha256)
        try:
            index = from_plain(_Index, parse_signed(index_path.read_bytes()))
            content = model if index.content_sha256 == model_sha256 else content_path.read_bytes()
        except (OSError, ValueError):
            return None
        engine = Engine(model_sha256, content, index.layers, index.proof, index.built_with, index.seconds)
        return engine if engine.sha256 == index.content_sha256 else None

    def save(self, engine: Engine) -> None:
        """Keep an engine; its index goes last, so that a half-written engine reads as none."""
        index_path, content_path = self._paths(engine.model_sha256)
        if engine.sha256 != engine.model_sha256:
            write_atomically(content_path, engine.content)
        index = _Index(engine.sha256, engine.layers, engine.proof, engine.built_with, engine.seconds)
        write_atomically(index_path, signed_bytes(asdict(index)))

    def _paths(self, model_sha256: str) -> tuple[Path, Path]:
        return self._folder / f"{model_sha256}.json", self._folder / f"{model_sha256}.engine"
