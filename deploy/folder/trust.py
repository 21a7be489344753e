"""Which engines this machine built itself: a plan is native code, and only those and ones the user names are opened."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from deploy.folder.manifest import FolderManifest, ShippedModel
from deploy.formats import FORMATS
from latency_tables.storage.files import read_file, write_atomically
from latency_tables.storage.signed import parse_signed, signed_bytes

_MOST = 10_000


def built_engines_file() -> Path:
    """`built_engines.json` in the user's folder for state, see the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME") or ""
    root = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return root / "hwnas" / "built_engines.json"


def built_here() -> frozenset[str]:
    """SHA-256 of the engines that were built here; none where the record is missing or damaged."""
    return frozenset(_recorded())


def may_open(manifest: FolderManifest, model: ShippedModel, trusted: Collection[str]) -> bool:
    """Whether the files of a model may be opened: no engine, or all of them vouched for by their SHA-256."""
    paths = model.file_paths(manifest.files).values()
    return not FORMATS[model.format].is_engine or {manifest.files[path].sha256 for path in paths} <= set(trusted)


def record_built(digests: Iterable[str]) -> None:
    """Remember engines that were built here just now; raises `HwnasError` when that cannot be written."""
    every = list(dict.fromkeys([*_recorded(), *digests]))[-_MOST:]
    write_atomically(built_engines_file(), signed_bytes({"engines": every}))


def _recorded() -> list[str]:
    try:
        engines = parse_signed(read_file(built_engines_file())).get("engines")
    except (OSError, ValueError):
        return []
    return [e for e in engines if isinstance(e, str)] if isinstance(engines, list) else []
