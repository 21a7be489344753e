"""The one network of a fleet, measured on its devices: PASS where its interval is inside the device's budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.verify import Verification
from hwnas.run.device import device_of_table
from hwnas.run.folder import Display
from hwnas.run.measured import measure_network
from hwnas.spaces import SearchSpace
from latency_tables import load_table
from latency_tables.storage.files import digest_json
from profilers.boards.ssh_login import Login


@dataclass(frozen=True)
class FleetDevice:
    """A device of a fleet: its table, where it is (`here` or an address), and its budget, if it has one."""

    table: Path
    place: str
    budget_ms: float | None


def verify_fleet(
    space: SearchSpace, arch: str, devices: Mapping[str, FleetDevice], login: Login, folder: Path, display: Display
) -> dict[str, Verification]:
    """Measure a network on one device after another; a device without a budget has an infinite one.

    What was measured before is in `folder`, and is not measured again. Raises `HwnasError` when a device cannot be
    reached, or is not the one that its table was made on.
    """
    found = {}
    for name, one in devices.items():
        table = load_table(one.table)
        path = folder / f"{digest_json([name, arch, table.digest])[:10]}.onnx"
        device = device_of_table(table.provenance.target, one.place, login, folder / "device", display)
        budget_ms = math.inf if one.budget_ms is None else one.budget_ms
        with display.stage(f"measuring on {name}") as progress:
            genotype = space.from_text(arch)
            found[name] = measure_network(space, genotype, table, one.table, budget_ms, device, path, progress)
    return found
