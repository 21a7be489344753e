"""JSON objects that carry a SHA-256 over all they say: what was edited or damaged is noticed, never believed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency_tables.storage.files import digest_json, json_bytes, plain_json, read_file, write_atomically
from latency_tables.storage.serialise import parse_json

_DIGEST = "sha256"


def signed_bytes(content: Mapping[str, Any]) -> bytes:
    """A JSON object with the digest of what is in it, as a file."""
    return json_bytes({**content, _DIGEST: digest_json(plain_json(content))})


def parse_signed(text: bytes) -> dict[str, Any]:
    """What `signed_bytes` was given; raises ValueError for anything else."""
    content = parse_json(text)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    given = content.pop(_DIGEST, None)
    try:
        digest = digest_json(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if given != digest:
        raise ValueError("its sha256 does not match")
    return content


def write_signed(path: Path, content: Mapping[str, Any]) -> None:
    """Write `signed_bytes`; raises `HwnasError` when the file cannot be written."""
    write_atomically(path, signed_bytes(content))


def read_signed(path: Path) -> dict[str, Any]:
    """What `write_signed` wrote; raises OSError when it cannot be read, ValueError when it is anything else."""
    return parse_signed(read_file(path))
