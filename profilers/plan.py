"""A folder of ONNX models to measure, and `plan.json` that says what each is: all a board needs, no torch."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from latency_tables import HwnasError, Op, OpCost
from latency_tables.storage.files import write_atomically
from latency_tables.storage.serialise import from_plain
from latency_tables.storage.signed import parse_signed, signed_bytes

_PLAN, _REFERENCE = "plan.json", "reference.onnx"

Folder = Path | zipfile.Path
"""Where a plan is: a folder, or a folder inside a zip file (a kit)."""


def folder_at(path: str) -> Folder:
    """A plan's folder by its path, which may lead into a zip file (a kit)."""
    folder = Path(path)
    kit = next((parent for parent in folder.parents if parent.is_file()), None)
    return folder if kit is None else zipfile.Path(kit, f"{folder.relative_to(kit).as_posix()}/")


@dataclass(frozen=True)
class PlannedModel:
    """One model of a plan: `op` and its cost, or None for a whole network, whose key is its text."""

    key: str
    op: Op | None
    cost: OpCost | None
    file: str
    sha256: str


@dataclass(frozen=True)
class _Index:
    """What `plan.json` holds beside the digest over it."""

    space: str
    reference_sha256: str
    models: tuple[PlannedModel, ...]


@dataclass(frozen=True)
class Plan(_Index):
    """What to measure for `space`. The plan and every model are checked against their digests when they are read."""

    folder: Folder

    def model(self, planned: PlannedModel) -> bytes:
        """The ONNX bytes; raises `HwnasError` when the file is missing or damaged."""
        return _checked(self.folder / planned.file, planned.sha256)

    def reference(self) -> bytes:
        """The reference network's ONNX bytes, with the same checks."""
        return _checked(self.folder / _REFERENCE, self.reference_sha256)

    def index(self) -> dict[str, bytes]:
        """File name -> content of all but the models: what tells measurements of this plan from others."""
        index = _Index(self.space, self.reference_sha256, self.models)
        return {_REFERENCE: self.reference(), _PLAN: signed_bytes(asdict(index))}

    @property
    def costs(self) -> Mapping[Op, OpCost]:
        """Op -> cost of every op in the plan."""
        return {m.op: m.cost for m in self.models if m.op is not None and m.cost is not None}


def _checked(path: Folder, sha256: str) -> bytes:
    try:
        content: bytes | None = path.read_bytes()
    except OSError as e:
        raise HwnasError(f"cannot read the model {path}: {e.strerror}; make the plan again") from None
    except zipfile.BadZipFile:
        content = None
    if content is None or hashlib.sha256(content).hexdigest() != sha256:
        raise HwnasError(f"the model {path} is damaged (its digest does not match); make the plan again")
    return content


def write_plan(
    folder: Path, space: str, reference: bytes, models: Iterable[tuple[str, Op | None, OpCost | None, bytes]]
) -> Plan:
    """Write models and plan into `folder`; the plan goes last, so a half-written one never reads as whole."""
    planned = []
    for i, (key, op, cost, model) in enumerate(models):
        file = f"{i:04d}.onnx"
        write_atomically(folder / file, model)
        planned.append(PlannedModel(key, op, cost, file, hashlib.sha256(model).hexdigest()))
    write_atomically(folder / _REFERENCE, reference)
    plan = Plan(space, hashlib.sha256(reference).hexdigest(), tuple(planned), folder)
    write_atomically(folder / _PLAN, plan.index()[_PLAN])
    return plan


def read_plan(folder: Folder) -> Plan:
    """Read a plan; raises `HwnasError` in one line when it is missing or damaged."""
    try:
        index = from_plain(_Index, parse_signed((folder / _PLAN).read_bytes()))
        if any("\0" in m.file for m in index.models):
            raise ValueError("no file has such a name")
        models = tuple(replace(m, file=Path(m.file).name) for m in index.models)
        return Plan(index.space, index.reference_sha256, models, folder)
    except OSError as e:
        raise HwnasError(f"{folder} is not a plan: {e.filename}: {e.strerror}") from None
    except (ValueError, zipfile.BadZipFile):
        raise HwnasError(f"the plan in {folder} is damaged; make it again") from None
