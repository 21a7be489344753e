"""Make the folder: build every model that is asked for, ask and time each, and write all of it at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.answers import accuracy, answered, logits
from deploy.folder.card import card
from deploy.folder.infer_script import INFER as INFER_SCRIPT
from deploy.folder.manifest import (
    CARD,
    INFER,
    MANIFEST,
    PROBE,
    VERSION,
    FileRecord,
    FolderError,
    FolderManifest,
    Proven,
    ShippedModel,
    probe_images,
)
from deploy.folder.measure import measure_files
from deploy.folder.on_disk import write_new
from deploy.folder.sources import Source, Sources
from deploy.folder.triton import config
from deploy.folder.trust import record_built
from deploy.folder.wanted import Handed, Wanted, model_name
from deploy.formats import Built, Files, Format
from deploy.formats.onnx_file import FILE, OnnxFormat
from deploy.onnx_file import DYNAMIC
from latency_tables import HwnasError, ProfilerError
from latency_tables.errors import NotInstalledError
from latency_tables.progress import Progress, silent
from profilers.device.machine import cpu_name

_PROBES = 4


def write_folder(handed: Handed, wanted: Wanted, folder: Path, progress: Progress = silent) -> FolderManifest:
    """Write the folder of a network; one of ours that is there already is replaced.

    A lower precision that cannot be had, or loses too much accuracy, is left out with its reason. Raises `FolderError`
    when nothing is left or something else lies in `folder`, `HwnasError` when a runtime is missing or refuses fp32.
    """
    maker = _Maker(handed, wanted)
    every = list(wanted.each())
    for done, (precision, format_, batch) in enumerate(every):
        name = model_name(handed.name, precision, format_.runtime, batch)
        progress(done, len(every), name)
        maker.add(name, precision, format_, batch)
    manifest, files = maker.finish()
    write_new(folder, {**files, MANIFEST: manifest.to_bytes()})
    progress(len(every), len(every), str(folder))
    return manifest


@dataclass(frozen=True)
class _Said:
    """What one model answers: logits of the probe images [n, classes], and how many images of two splits are right."""

    probe: NDArray[np.float32]
    validation: float
    test: float


@dataclass
class _Maker:
    handed: Handed
    wanted: Wanted
    files: dict[str, bytes] = field(default_factory=dict)
    models: list[ShippedModel] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sources = Sources(self.handed)
        self._probe = probe_images(_PROBES, self.handed.files[0][1].input.shape[1:])
        fp32 = self._sources.get("fp32", "between-ops", 1)
        self._fp32 = self._ask(OnnxFormat(), {FILE: fp32.content}, self._bare("", fp32, OnnxFormat(), 1))

    def add(self, name: str, precision: str, format_: Format, batch: int) -> None:
        """Build one model, or say why it is left out."""
        try:
            source = self._sources.get(precision, format_.int8_form, batch)
            bare = self._bare(name, source, format_, batch)
            built = format_.build(source.content, bare.setting(self.wanted.threads))
        except NotInstalledError:
            raise
        except HwnasError as e:
            if precision == "fp32":
                raise
            self.left_out[name] = str(e)
            return
        model = self._examined(bare, format_, built)
        if precision != "fp32" and model.drop_points is not None and model.drop_points > self.wanted.max_drop_points:
            limit = self.wanted.max_drop_points
            self.left_out[name] = f"it loses {model.drop_points:.3g} points of accuracy, at most {limit:g} are allowed"
            return
        files = {f"{name}/{VERSION}/{file}": content for file, content in built.files.items()}
        model = replace(model, source=self._source(name, source, files))
        if (text := config(model, built.files)) is not None:
            files[f"{name}/config.pbtxt"] = text.encode()
        if format_.is_engine:
            record_built(hashlib.sha256(content).hexdigest() for content in built.files.values())
        self.files |= files
        self.models.append(model)

    def _bare(self, name: str, source: Source, format_: Format, batch: int) -> ShippedModel:
        """What is known of a model before it is built."""
        nothing = Proven(source.contract.precision, 0, 100.0)
        return ShippedModel(name, format_.name, format_.runtime, "", batch, "", source.contract, nothing, {})

    def _source(self, name: str, source: Source, files: dict[str, bytes]) -> str:
        """The path of a model's ONNX file; where no other model has it, it is put beside this one."""
        for path, content in (*self.files.items(), *files.items()):
            if content == source.content:
                return path
        files[f"{name}/source.onnx"] = source.content
        return f"{name}/source.onnx"

    def _examined(self, bare: ShippedModel, format_: Format, built: Built) -> ShippedModel:
        """A model with all that this device can say of it."""
        setting = bare.setting(self.wanted.threads)
        model = replace(
            bare,
            runtime_version=built.version,
            proof=Proven.of(built.proof),
            built_with=built.settings,
            predicted=self.handed.predicted(setting),
        )
        try:
            said = self._ask(format_, built.files, bare)
        except ProfilerError as e:
            how = bare.contract.lowering  # by onnxruntime, for want of the device
            return replace(model, unchecked=f"not checked: {e}", drop_points=None if how is None else how.drop_points)
        model = replace(
            model,
            answers=tuple(tuple(map(float, row)) for row in said.probe),
            accuracy=said.test,
            drop_points=100 * (self._fp32.validation - said.validation),
            off_fp32=float(np.abs(said.probe - self._fp32.probe).max()),
        )
        # What this device computes in another precision would be measured under a wrong name.
        if self.wanted.measure and built.proof.share_pct == 100:
            model = replace(model, measured=measure_files(format_.name, built.files, setting))
        return model

    def _ask(self, format_: Format, files: Files, model: ShippedModel) -> _Said:
        data = self.handed.data
        with format_.open(files, model.setting(self.wanted.threads)) as session:
            shares = [accuracy(*answered(session, split)) for split in (data.validation, data.test)]
            return _Said(logits(session, self._probe), *shares)

    def finish(self) -> tuple[FolderManifest, Mapping[str, bytes]]:
        """The manifest, and all files but that one."""
        if not self.models:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
            raise FolderError(f"nothing is left to hand over ({reasons})")
        best, why = _best(self.models)
        manifest = FolderManifest(
            name=self.handed.name,
            hwnas_version=version("hwnas"),
            device=cpu_name(),
            threads=self.wanted.threads,
            max_drop_points=self.wanted.max_drop_points,
            flags={
                "to": ",".join(self.wanted.formats),
                "precision": ",".join(self.wanted.precisions),
                "batch": ",".join("dynamic" if b == DYNAMIC else str(b) for b in self.wanted.batches),
                "capability": ",".join(self.wanted.capabilities),
            },
            probe_shape=self._probe.shape,
            models=tuple(self.models),
            recommended=best.name,
            recommendation=why,
            files={},
            left_out=self.left_out,
        )
        files = {**self.files, CARD: card(manifest).encode(), INFER: INFER_SCRIPT.encode()}
        files[PROBE] = self._probe.tobytes()
        records = {p: FileRecord(len(c), hashlib.sha256(c).hexdigest()) for p, c in sorted(files.items())}
        return replace(manifest, files=records), files


def _best(models: list[ShippedModel]) -> tuple[ShippedModel, str]:
    """The model to take: of those for the smallest batch the fastest, where any was measured."""
    timed = [m for m in models if m.measured is not None]
    if timed:
        smallest = min(m.setting(1).batch for m in timed)
        best = min((m for m in timed if m.setting(1).batch == smallest), key=lambda m: m.measured.ms)  # type: ignore[union-attr]
        return best, "the fastest here within the accuracy drop that was allowed"
    checked = [m for m in models if m.answers] or models
    return checked[0], "the first that was asked for; nothing was measured"
