"""A folder read into memory, once: every file is what the manifest lists, every model what its ONNX file says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.folder.manifest import MANIFEST, FolderError, FolderManifest, ShippedModel, parse_folder_manifest
from deploy.folder.on_disk import paths_in, read_listed
from deploy.formats import Files
from deploy.onnx_file import MOST_BYTES, OnnxFileError, read_onnx
from latency_tables.storage.files import read_file

_MOST_FILES, _MOST_MANIFEST = 1000, 2**25


@dataclass(frozen=True)
class Contents:
    """The manifest and the bytes of every file that it lists, by path."""

    manifest: FolderManifest
    files: Mapping[str, bytes] = field(repr=False)

    def files_of(self, model: ShippedModel) -> Files:
        """Those of one model, by name."""
        return {name: self.files[path] for name, path in model.file_paths(self.manifest.files).items()}


def read_folder(folder: Path) -> Contents:
    """The contents of a folder. Raises `FolderError` in one line for the first thing that is not as listed.

    That is: a manifest that was edited or is of another version, a file that is missing, changed, unlisted, a link, too
    large, or a model whose ONNX file says other things of itself. Nothing is opened by any runtime.
    """
    manifest_file = folder / MANIFEST
    if manifest_file.is_symlink():
        raise FolderError(f"{MANIFEST} is a link")
    try:
        content = read_file(manifest_file)
    except OSError as e:
        raise NoFolderError(f"{folder} is no folder of `hwnas export --to`: {MANIFEST}: {e.strerror}") from None
    if len(content) > _MOST_MANIFEST:
        raise FolderError(f"{MANIFEST} has {len(content)} bytes; at most {_MOST_MANIFEST} are read")
    manifest = parse_folder_manifest(content)
    if unlisted := sorted(set(paths_in(folder)) - {MANIFEST, *manifest.files}):
        raise FolderError(f"{ascii(unlisted[0])[1:61]} is not listed in {MANIFEST}")
    total = sum(record.bytes for record in manifest.files.values())
    if len(manifest.files) > _MOST_FILES or total > 4 * MOST_BYTES:
        raise FolderError(f"it lists {len(manifest.files)} files of {total} bytes, more than are read")
    files: dict[str, bytes] = {}
    for path, record in manifest.files.items():
        files[path] = read_listed(folder, path, record.bytes)
        if hashlib.sha256(files[path]).hexdigest() != record.sha256:
            raise FolderError(f"{path} is not the file that {MANIFEST} lists: its sha256 differs")
    for model in manifest.models:
        _require_contract(model, files[model.source])
    return Contents(manifest, files)


class NoFolderError(FolderError):
    """There is no manifest, so nothing to check."""


def _require_contract(model: ShippedModel, source: bytes) -> None:
    """Raise `FolderError` unless the ONNX file has the contract inside, and the ends that it names."""
    try:
        proto = read_onnx(source, model.source)
    except OnnxFileError as e:
        raise FolderError(str(e)) from None
    if not model.contract.is_inside(proto):
        raise FolderError(f"{MANIFEST} says other things of {model.name} than {model.source} itself")
    for end, named in ((proto.graph.input[0], model.contract.input), (proto.graph.output[0], model.contract.output)):
        sizes = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in end.type.tensor_type.shape.dim)
        if (end.name, sizes) != (named.name, named.shape):
            raise FolderError(f"{model.source} has {ascii(end.name)[:40]} {list(sizes)}, not as {MANIFEST} says")
