"""A run's network as a folder that one hands over."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from deploy.export import export_network
from deploy.folder import FolderManifest, Handed, Wanted, write_folder
from deploy.folder.manifest import Milliseconds
from deploy.folder.on_disk import require_replaceable
from deploy.manifest import Manifest, read_manifest
from hwnas.run.run import Run
from hwnas.spaces import Genotype
from latency_tables.storage.networks import NETWORKS_FILE
from profilers import Int8Form, RuntimeSetting


def hand_over(run: Run, wanted: Wanted, folder: Path, *, keep_precision: bool = False) -> FolderManifest:
    """Export the winner, or the network asked for, and write its folder; raises `HwnasError` when that cannot be.

    With `keep_precision` the models are in the precision of the winner, whatever is wanted.
    """
    require_replaceable(folder)
    branch, arch = run.chosen()
    exported = branch.deployment.export(arch)

    def predicted(setting: RuntimeSetting) -> Milliseconds | None:
        """A calibrated table's word, where the run has one for this setting; nothing is measured for it."""
        for profiling in (branch.profiling for branch in run.branches):
            if not (profiling.table_folder / NETWORKS_FILE).exists():
                continue
            if RuntimeSetting.of(profiling.table.provenance.target) == setting:
                said = profiling.latency().predict(np.asarray(arch))
                return Milliseconds(*(float(value[0]) for value in (said.ms, said.lower_ms, said.upper_ms)))
        return None

    files = [(exported.path.read_bytes(), read_manifest(exported.path), branch.profiling.profiler.int8_form)]
    if exported.precision != "fp32":
        files.insert(0, _fp32(run, arch))
    name = f"{_plain(run.inputs.space.name)}-{exported.path.parent.name}"
    handed = Handed(name, tuple(files), run.inputs.data, predicted)
    wanted = replace(wanted, threads=run.settings.threads, max_drop_points=run.settings.max_drop)
    if keep_precision:
        wanted = replace(wanted, precisions=(branch.precision,))
    with run.folder.display.stage("folder to hand over") as progress:
        return write_folder(handed, wanted, folder, progress)


def _fp32(run: Run, arch: Genotype) -> tuple[bytes, Manifest, Int8Form]:
    """The fp32 file of a network whose run ships another precision."""
    network, space = run.training.train(arch).network, run.inputs.space
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        export_network(network, run.inputs.data, path, architecture=space.to_text(arch), space=space.name)
        return path.read_bytes(), read_manifest(path), "between-ops"


def _plain(name: str) -> str:
    """A space's name with hyphens for what a model's name may not have."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name)
    return plain.strip("-._")[:40] or "network"
