"""Tensors and what they belong to, in one safetensors file whose digest is checked before it is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch

from latency_tables import HwnasError
from latency_tables.storage.files import write_atomically


class CheckpointError(HwnasError):
    """A checkpoint that is missing, damaged or of another network."""


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors, plain JSON values beside them, and the SHA-256 over both."""

    tensors: Mapping[str, torch.Tensor]
    metadata: Mapping[str, Any]
    sha256: str


def _digest(body: bytes, metadata: str) -> str:
    return hashlib.sha256(body + metadata.encode()).hexdigest()


def save_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
    """Write atomically; raises `HwnasError` when the disk refuses."""
    plain = {name: t.detach().contiguous().clone() for name, t in tensors.items()}
    text = json.dumps(dict(metadata), sort_keys=True)
    digest = _digest(safetensors_torch.save(plain), text)
    write_atomically(path, safetensors_torch.save(plain, {"hwnas": text, "digest": digest}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and verify; raises `CheckpointError` in one line."""
    damaged = CheckpointError(f"the checkpoint {path} is truncated or damaged; delete it and train again")
    try:
        content = path.read_bytes()
    except OSError as e:
        raise CheckpointError(f"cannot read the checkpoint {path}: {e.strerror}") from None
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])["__metadata__"]
        tensors = safetensors_torch.load(content)
        text, digest = header["hwnas"], header["digest"]
        if _digest(safetensors_torch.save(tensors), text) != digest:
            raise damaged
        return Checkpoint(tensors, json.loads(text), digest)
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError, AttributeError):
        raise damaged from None


def tensors_under(prefix: str, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in checkpoint.tensors.items() if k.startswith(prefix)}


def trained_weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The module's own tensors in a training checkpoint, without the optimizer's."""
    return tensors_under("model.", checkpoint)


def load_weights(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Put tensors into a module; raises `CheckpointError` when they are another network's."""
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError:
        raise CheckpointError(f"the weights in {path} are of another network; delete it and train again") from None
