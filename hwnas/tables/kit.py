"""For a board without torch: make a kit from a space here, to measure there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hwnas.lowering.op_models import plan_networks, plan_ops
from hwnas.spaces import SearchSpace
from hwnas.spaces.sampling import calibration_networks
from latency_tables import HwnasError
from latency_tables.progress import Progress, silent
from profilers import RuntimeSetting
from profilers.boards.kit import NETWORKS, OPS, Part, pack_kit
from profilers.protocol import OPS_PROTOCOL, networks_protocol


def make_kit(
    space: SearchSpace,
    out: Path,
    setting: RuntimeSetting,
    networks: int = 80,
    seed: int = 0,
    rounds: int | None = None,
    progress: Progress = silent,
) -> None:
    """Write a kit for `space` to `out`: every op, and the networks that a run would calibrate on.

    `rounds`: a first look, see `Protocol.limited`.
    Raises `HwnasError` when a count makes no sense or the file cannot be written.
    """
    if setting.threads < 1 or networks < 0 or seed < 0:
        raise HwnasError("a kit needs --threads of at least 1, and --networks and --seed of at least 0")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=out.parent, prefix=".kit-")
    except OSError as e:
        raise HwnasError(f"cannot write {out}: {e.strerror}") from None
    with folder:
        where = Path(folder.name)
        precision = setting.precision
        ops = plan_ops(space, where / "ops", precision=precision, progress=progress)
        archs = calibration_networks(space, {op: cost.macs for op, cost in ops.costs.items()}, seed, networks)
        plan = plan_networks(space, list(archs), where / "networks", ops.reference(), precision=precision)
        ops_part = Part(ops, OPS_PROTOCOL.limited(rounds))
        networks_part = Part(plan, networks_protocol(setting.threads).limited(rounds))
        parts = {OPS: ops_part, NETWORKS: networks_part}
        pack_kit(parts, setting, out)
