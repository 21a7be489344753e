"""A network that nobody trained, measured on a device as it would ship: its weights change no time."""

from __future__ import annotations

from pathlib import Path

from deploy.verify import Verification, verify
from hwnas.lowering.op_models import network_to_time
from hwnas.lowering.precision import in_precision
from hwnas.spaces import Genotype, SearchSpace
from latency_tables import LatencyTable
from latency_tables.progress import Progress, silent
from latency_tables.storage.files import REFERENCE_FILE, write_atomically
from profilers.where import Device


def measure_network(
    space: SearchSpace,
    arch: Genotype,
    table: LatencyTable,
    table_folder: Path,
    budget_ms: float,
    device: Device,
    path: Path,
    progress: Progress = silent,
) -> Verification:
    """Write the network to `path` in the device's precision, and measure it in fresh processes beside the table.

    Plan and journal are in a folder beside it. Raises what `deploy.verify.verify` raises.
    """
    model = in_precision(network_to_time(space, arch), device.target().precision, form=device.int8_form)
    write_atomically(path, model)
    return verify(path, table_folder / REFERENCE_FILE, table, budget_ms, device, path.with_suffix(""), progress)
