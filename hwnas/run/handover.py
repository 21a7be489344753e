"""A run's network as a folder that one hands over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from deploy.folder import FolderManifest, Handed, Wanted, write_folder
from deploy.folder.manifest import Milliseconds
from deploy.folder.on_disk import require_replaceable
from deploy.manifest import read_manifest
from hwnas.run.run import Run
from latency_tables.storage.networks import NETWORKS_FILE
from profilers import RuntimeSetting


def hand_over(run: Run, wanted: Wanted, folder: Path) -> FolderManifest:
    """Export the winner, or the network asked for, and write its folder; raises `HwnasError` when that cannot be."""
    require_replaceable(folder)
    arch = run.chosen()
    exported = run.deployment.export(arch)
    profiling = run.profiling

    def predicted(setting: RuntimeSetting) -> Milliseconds | None:
        """The calibrated table's word, where the run has one for this setting; nothing is measured for it."""
        if not (profiling.table_folder / NETWORKS_FILE).exists():
            return None
        target = profiling.table.provenance.target
        if RuntimeSetting(target.runtime, target.threads, target.batch, target.precision) != setting:
            return None
        said = profiling.latency().predict(np.asarray(arch))
        return Milliseconds(*(float(value[0]) for value in (said.ms, said.lower_ms, said.upper_ms)))

    handed = Handed(
        name=f"{_plain(run.inputs.space.name)}-{exported.path.parent.name}",
        model=exported.path.read_bytes(),
        contract=read_manifest(exported.path),
        data=run.inputs.data,
        predicted=predicted,
    )
    with run.folder.display.stage("folder to hand over") as progress:
        return write_folder(handed, replace(wanted, threads=run.settings.threads), folder, progress)


def _plain(name: str) -> str:
    """A space's name with hyphens for what a model's name may not have."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    return plain.strip("-._")[:40] or "network"
