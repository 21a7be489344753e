"""`manifest.json` of a folder that is handed over: what is in it, what was measured of it, under one digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from deploy.formats import FORMATS
from deploy.manifest import Manifest
from deploy.onnx_file import DYNAMIC
from latency_tables import HwnasError
from latency_tables.storage.serialise import from_plain
from latency_tables.storage.signed import parse_signed, signed_bytes
from profilers import RuntimeSetting
from profilers.engines.proof import Proof

SCHEMA = 1
MANIFEST, CARD, INFER, PROBE, VERSION = "manifest.json", "README.md", "infer.py", "probe.u8", "1"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_ROWS = 1000


class FolderError(HwnasError):
    """A folder that does not say what a folder of ours says, or says it of other files."""


@dataclass(frozen=True)
class FileRecord:
    """Size and sha256 of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Milliseconds:
    """A latency with the interval it lies in: of 95 % where measured, the table's own where predicted."""

    ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class Proven:
    """How many matrix products of a model ran in the precision `asked`, on the device of the manifest."""

    asked: str
    products: int
    share_pct: float
    offender: str = ""

    @classmethod
    def of(cls, proof: Proof) -> Proven:
        """In short: the first offender stands for all."""
        first = next((f"{o.name} ({o.kind}) ran in {o.precision}" for o in proof.offenders), "")
        return cls(proof.asked, proof.products, proof.share_pct, first)


@dataclass(frozen=True)
class ShippedModel:
    """One model folder: a network in one precision, format and batch (`DYNAMIC`: any).

    `contract` is what the ONNX file `source`, which it was built from, says of itself, with that file's digest.
    `answers` [images, classes] are the logits of this very file to the probe images, none where it could not be run,
    as `unchecked` says. `accuracy` is that on the test split, `drop_points` what it lost against fp32 on validation
    images, in percentage points; `off_fp32` is the largest difference of any logit to those of the fp32 network.
    """

    name: str
    format: str
    runtime: str
    runtime_version: str
    batch: int
    source: str
    contract: Manifest
    proof: Proven
    built_with: Mapping[str, str]
    answers: tuple[tuple[float, ...], ...] = ()
    unchecked: str = ""
    accuracy: float | None = None
    drop_points: float | None = None
    off_fp32: float | None = None
    predicted: Milliseconds | None = None
    measured: Milliseconds | None = None

    @property
    def precision(self) -> str:
        """That of the contract."""
        return self.contract.precision

    def setting(self, threads: int) -> RuntimeSetting:
        """The runtime that opens it; a dynamic batch is asked for two images at once."""
        batch = 2 if self.batch == DYNAMIC else self.batch
        return RuntimeSetting(self.runtime, threads, batch, self.precision)

    def file_paths(self, files: Mapping[str, FileRecord]) -> dict[str, str]:
        """Its files of the format, by name, as paths in the folder."""
        there = PurePosixPath(self.name) / VERSION
        return {PurePosixPath(path).name: path for path in files if PurePosixPath(path).parent == there}


@dataclass(frozen=True)
class FolderManifest:
    """Everything a stranger must know; `files` are all files of the folder but this one, by path.

    `device` and `threads` are those of proofs and measured times. `left_out`: what was asked for and is not here, and
    why. `recommended`: the fastest model within `max_drop_points`, for the reason `recommendation`.
    """

    name: str
    hwnas_version: str
    device: str
    threads: int
    max_drop_points: float
    flags: Mapping[str, str]
    probe_shape: tuple[int, ...]
    models: tuple[ShippedModel, ...]
    recommended: str
    recommendation: str
    files: Mapping[str, FileRecord]
    left_out: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_bytes(self) -> bytes:
        """The file, with a digest over all it says."""
        return signed_bytes(asdict(self))

    def model(self, name: str) -> ShippedModel:
        """The model of that name; raises `FolderError` that lists the others."""
        found = next((m for m in self.models if m.name == name), None)
        if found is None:
            raise FolderError(f"there is no model {name!r}; there are {', '.join(m.name for m in self.models)}")
        return found


def parse_folder_manifest(content: bytes) -> FolderManifest:
    """The manifest in these bytes, which must be those that `to_bytes` writes; raises `FolderError` in one line."""
    try:
        said = parse_signed(content)
        if said.get("schema") != SCHEMA:
            raise ValueError(f"schema {said.get('schema')!r}, this version reads {SCHEMA}")
        manifest = from_plain(FolderManifest, said)
        if signed_bytes(said) != content:
            raise ValueError("it is not written as hwnas writes it")
        _require_sound(manifest)
    except (ValueError, RecursionError) as e:
        raise FolderError(f"{MANIFEST} was edited or damaged: {e}") from None
    return manifest


def _require_sound(manifest: FolderManifest) -> None:
    """Raise ValueError for paths that could lead out of the folder, unknown formats, names twice, odd shapes."""
    names = [m.name for m in manifest.models]
    if not names or len(set(names)) != len(names):
        raise ValueError("it has no models, or two of one name")
    for path in manifest.files:
        require_plain_path(path)
    for needed in (CARD, INFER, PROBE, *(m.source for m in manifest.models)):
        if needed not in manifest.files:
            raise ValueError(f"it does not list {ascii(needed)[:60]}")
    n, *image = manifest.probe_shape
    if len(image) != 3 or not (1 <= n <= _MOST_ROWS and all(1 <= size <= 10_000 for size in image)):
        raise ValueError("its probe images have an odd shape")
    if manifest.files[PROBE].bytes != int(np.prod(manifest.probe_shape)):
        raise ValueError("its probe images are of another size than said")
    if not 1 <= manifest.threads <= 1024:
        raise ValueError(f"threads are {manifest.threads}")
    for m in manifest.models:
        if m.format not in FORMATS or FORMATS[m.format].runtime != m.runtime:
            raise ValueError(f"{ascii(m.format)[:40]} with {ascii(m.runtime)[:40]} is no known format")
        if not _PLAIN_NAME.fullmatch(m.name) or not m.file_paths(manifest.files):
            raise ValueError(f"model {ascii(m.name)[:40]} has no files")
        if not (m.batch == DYNAMIC or 1 <= m.batch <= 4096) or m.precision not in ("fp32", "fp16", "int8"):
            raise ValueError(f"model {m.name} has an odd batch or precision")
        if m.contract.sha256 != manifest.files[m.source].sha256:
            raise ValueError(f"model {m.name} was built from another file than {m.source}")
        if m.answers and {len(row) for row in m.answers} != {len(m.contract.classes)}:
            raise ValueError(f"model {m.name} has answers of another number of classes")
        if m.answers and len(m.answers) != n:
            raise ValueError(f"model {m.name} has answers to another number of images")
    if manifest.recommended not in names:
        raise ValueError("it recommends a model that it does not list")


def require_plain_path(path: str) -> None:
    """Raise ValueError unless a path is relative, goes down only, and of plain names."""
    parts = path.split("/")
    if not all(_PLAIN_NAME.fullmatch(part) for part in parts) or len(parts) > 4:
        raise ValueError(f"{ascii(path)[:60]} is no path inside the folder")


def probe_images(count: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Images [count, c, h, w] that every export asks its models about: patches of colour, the same every time.

    No image of the data is given away.
    """
    channels, height, width = shape
    patches = np.random.default_rng(0).integers(0, 256, (count, channels, 4, 4), np.uint8)
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return np.ascontiguousarray(patches[:, :, rows][:, :, :, columns])


def manifest_of(folder: Path) -> FolderManifest:
    """The manifest in a folder; raises `FolderError` when it is missing, edited or damaged."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as e:
        raise FolderError(f"{folder} is no folder of `hwnas export --to`: {MANIFEST}: {e.strerror}") from None
    return parse_folder_manifest(content)
