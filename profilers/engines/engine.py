"""What a runtime makes of an ONNX model: an engine and its layers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from profilers.engines.layers import EngineLayer
from profilers.engines.proof import Proof


@dataclass(frozen=True)
class Compiled:
    """What a runtime made of a model: what it opens, its layers, the proof of its precision, settings worth telling."""

    content: bytes
    layers: tuple[EngineLayer, ...]
    proof: Proof
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Engine:
    """A built model: `content` is what its builder opens, as often and in as many processes as one likes."""

    model_sha256: str
    content: bytes = field(repr=False)
    layers: tuple[EngineLayer, ...] = ()
    proof: Proof | None = None
    built_with: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @classmethod
    def of(cls, model: bytes) -> Engine:
        """That of a runtime which opens the ONNX model as it is, and says nothing of what it does inside."""
        return cls(hashlib.sha256(model).hexdigest(), model)

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()
