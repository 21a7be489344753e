"""A folder of ONNX models to measure, and `plan.json` that says what each is: all a board needs, no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from latency_tables import HwnasError, Op, OpCost
from latency_tables.files import write_atomically

_PLAN, _REFERENCE = "plan.json", "reference.onnx"


@dataclass(frozen=True)
class PlannedModel:
    """One model of a plan: `op` for an op of a space, None for a whole network (its key is its text)."""

    key: str
    op: Op | None
    cost: OpCost
    file: str
    sha256: str


@dataclass(frozen=True)
class Plan:
    """What to measure for `space`. Every model is checked against its digest when it is read."""

    folder: Path
    space: str
    reference_sha256: str
    models: tuple[PlannedModel, ...]

    def model(self, planned: PlannedModel) -> bytes:
        """The ONNX bytes; raises `HwnasError` when the file is missing or damaged."""
        return _checked(self.folder / planned.file, planned.sha256)

    def reference(self) -> bytes:
        """The reference network's ONNX bytes, with the same checks."""
        return _checked(self.folder / _REFERENCE, self.reference_sha256)

    @property
    def costs(self) -> Mapping[Op, OpCost]:
        """Op -> cost of every op in the plan."""
        return {m.op: m.cost for m in self.models if m.op is not None}


def _checked(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as e:
        raise HwnasError(f"cannot read the model {path}: {e.strerror}; make the plan again") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise HwnasError(f"the model {path} is damaged (its digest does not match); make the plan again")
    return content


def write_plan(
    folder: Path, space: str, reference: bytes, models: Iterable[tuple[str, Op | None, OpCost, bytes]]
) -> Plan:
    """Write models and plan into `folder`; the plan goes last, so a half-written one never reads as whole."""
    planned = []
    for i, (key, op, cost, model) in enumerate(models):
        file = f"{i:04d}.onnx"
        write_atomically(folder / file, model)
        planned.append(PlannedModel(key, op, cost, file, hashlib.sha256(model).hexdigest()))
    write_atomically(folder / _REFERENCE, reference)
    plan = Plan(folder, space, hashlib.sha256(reference).hexdigest(), tuple(planned))
    content = {
        "space": space,
        "reference_sha256": plan.reference_sha256,
        "models": [asdict(m) for m in planned],
    }
    write_atomically(folder / _PLAN, (json.dumps(content, indent=1) + "\n").encode())
    return plan


def read_plan(folder: Path) -> Plan:
    """Read a plan; raises `HwnasError` in one line when it is missing or damaged."""
    try:
        content = json.loads((folder / _PLAN).read_bytes())
        models = tuple(
            PlannedModel(
                key=m["key"],
                op=m["op"] and Op.of(m["op"]["kind"], tuple(m["op"]["in_shape"]), **dict(m["op"]["settings"])),
                cost=OpCost(**m["cost"]),
                file=Path(m["file"]).name,
                sha256=m["sha256"],
            )
            for m in content["models"]
        )
        return Plan(folder, content["space"], content["reference_sha256"], models)
    except OSError as e:
        raise HwnasError(f"{folder} is not a plan: {e.filename}: {e.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HwnasError(f"the plan in {folder} is damaged; make it again") from None
