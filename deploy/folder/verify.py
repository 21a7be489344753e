"""Whether a folder is what it says: as a stranger would ask, who trusts neither its files nor its manifest.

Nothing of the folder is run but its models, each in a process of its own, and no engine that nobody vouches for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deploy.answers import accuracy
from deploy.folder.integrity import Contents, NoFolderError, read_folder
from deploy.folder.manifest import PROBE, FolderError, FolderManifest, Milliseconds, ShippedModel
from deploy.folder.measure import measure_files
from deploy.folder.trust import built_here, may_open
from deploy.formats import FORMATS
from deploy.formats.onnx_file import FILE, OnnxFormat
from deploy.formats.requests import isolated_answers
from hwnas.data import Split
from latency_tables import ProfilerError
from latency_tables.progress import Progress, silent
from profilers.runtimes import make_profiler

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]

TOLERANCES = {"fp32": 1e-3, "fp16": 3e-2, "int8": 1e-1}
"""How far logits may be from the stored ones, as a share of the largest stored one: processors round differently."""


@dataclass(frozen=True)
class ModelFindings:
    """What came of one model. `off`: the largest difference to the stored answers, as a share of the largest of them.

    `rebuilt_off` is that of the model built here from ONNX, `file_off` that of the file in the folder; None: not asked.
    `accuracy` is that of the images given, by the file where it may be opened, else by the rebuilt model.
    """

    name: str
    rebuilt_off: float | None = None
    file_off: float | None = None
    accuracy: float | None = None
    measured: Milliseconds | None = None
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FolderVerdict:
    """PASS: all that could be asked is as said, the model in question among it. `reasons` name what is not.

    INCONCLUSIVE: nothing is wrong, but the interval holds the budget, or the model in question could not be asked.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    model: str
    models: tuple[ModelFindings, ...] = ()


def verify_folder(
    folder: Path,
    *,
    trust: Collection[str] = (),
    images: Split | None = None,
    classes: Collection[str] | None = None,
    budget_ms: float | None = None,
    model: str | None = None,
    progress: Progress = silent,
) -> FolderVerdict:
    """Check a folder on this machine: its files, what its models answer, and the budget of one of them.

    `trust` are SHA-256 of engines that may be opened, beside those that were built here. `images` are of the classes
    `classes`. `model`: the one that the budget is about, None: the recommended one. Raises `FolderError` where there is
    no manifest at all, no such model, or images of other classes.
    """
    try:
        contents = read_folder(folder)
    except NoFolderError:
        raise
    except FolderError as e:
        return FolderVerdict("FAIL", (str(e),), (), model or "")
    manifest = contents.manifest
    chosen = manifest.model(model or manifest.recommended)
    if images is not None:
        _require_classes(chosen, classes or (), images)
    checker = _Checker(contents, frozenset(map(str.lower, trust)) | built_here(), images)
    models = []
    for done, shipped in enumerate(manifest.models):
        progress(done, len(manifest.models), shipped.name)
        findings = checker.check(shipped)
        if shipped is chosen and budget_ms is not None and not findings.failures:
            findings = checker.timed(findings, shipped)
        models.append(findings)
    progress(len(models), len(models), "")
    return judge(models, chosen.name, budget_ms)


@dataclass(frozen=True)
class _Checker:
    contents: Contents
    trusted: frozenset[str]
    images: Split | None

    @property
    def _manifest(self) -> FolderManifest:
        return self.contents.manifest

    def check(self, model: ShippedModel) -> ModelFindings:
        """Build it from ONNX and open the file; whatever is refused or answers otherwise is a failure."""
        setting, found = model.setting(self._manifest.threads), ModelFindings(model.name)
        try:
            make_profiler(**vars(setting))
        except ProfilerError as e:
            return replace(found, notes=(f"not asked: {e}",))
        opened = may_open(self._manifest, model, self.trusted)
        if not opened:
            note = "the engine was not opened: nobody vouches for it; give --trust SHA256, or take the rebuilt one"
            found = replace(found, notes=(note,))
        questions = [(True, self._probe), *([(False, self._probe)] if opened else [])]
        if self.images is not None:
            questions.append((not opened, self.images.images))
        files, source = self.contents.files_of(model) if opened else {}, self.contents.files[model.source]
        try:
            rebuilt, *others = isolated_answers(model.format, files, setting, questions, source)
            found = replace(found, rebuilt_off=self._off(model, rebuilt))
            if opened:
                found = replace(found, file_off=self._off(model, others[0]))
        except ProfilerError as e:
            return replace(found, failures=(str(e),))
        if self.images is not None:
            found = replace(found, accuracy=accuracy(others[-1], self.images.labels))
        limit, failures = TOLERANCES[model.precision], []
        for what, off in (("built here from ONNX", found.rebuilt_off), ("as it lies here", found.file_off)):
            if off is not None and not off <= limit:
                failures.append(f"{what} it answers otherwise than stored, by {off:.2g} of the largest logit")
        return replace(found, failures=tuple(failures))

    def timed(self, found: ModelFindings, model: ShippedModel) -> ModelFindings:
        """With its milliseconds; an engine that nobody vouches for is built here first."""
        setting, files = model.setting(self._manifest.threads), self.contents.files_of(model)
        try:
            if not may_open(self._manifest, model, self.trusted):
                source = self.contents.files[model.source]
                files = FORMATS[model.format]().build(source, setting).files
            return replace(found, measured=measure_files(model.format, files, setting))
        except ProfilerError as e:
            return replace(found, notes=(*found.notes, f"not measured: {e}"))

    @property
    def _probe(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.contents.files[PROBE], np.uint8).reshape(self._manifest.probe_shape)

    def _off(self, model: ShippedModel, logits: NDArray[np.float32]) -> float:
        expected = self._expected(model)
        if logits.shape != expected.shape:
            return float("inf")
        return float(np.abs(logits - expected).max() / max(float(np.abs(expected).max()), 1e-6))

    def _expected(self, model: ShippedModel) -> NDArray[np.float32]:
        """The stored answers; where it was built without its device there are none: then what onnxruntime says."""
        if model.answers:
            return np.array(model.answers, np.float32)
        setting = replace(model.setting(self._manifest.threads), runtime=OnnxFormat.runtime)
        files = {FILE: self.contents.files[model.source]}
        (logits,) = isolated_answers(OnnxFormat.name, files, setting, [(False, self._probe)])
        return logits


def _require_classes(model: ShippedModel, classes: Collection[str], images: Split) -> None:
    contract = model.contract
    if tuple(classes) != contract.classes:
        raise FolderError(f"the images have the classes {', '.join(classes)[:200]}; {model.name} has others")
    if images.images.shape[1:] != contract.input.shape[1:]:
        raise FolderError(f"the images are {list(images.images.shape[1:])}, not {list(contract.input.shape[1:])}")


def judge(models: Sequence[ModelFindings], chosen: str, budget_ms: float | None) -> FolderVerdict:
    """The verdict over all findings; the budget is about the model `chosen`."""
    failures = [f"{m.name}: {failure}" for m in models for failure in m.failures]
    notes = [f"{m.name}: {note}" for m in models for note in m.notes]
    said = next(m for m in models if m.name == chosen)
    open_questions = [] if said.rebuilt_off is not None else [f"{chosen}: its answers could not be compared here"]
    if budget_ms is not None and not failures:
        if said.measured is None:
            open_questions.append(f"{chosen}: it could not be measured here")
        else:
            ms = said.measured
            told = f"{chosen}: {ms.ms:.4g} ms (95 %: {ms.low_ms:.4g} to {ms.high_ms:.4g}), budget {budget_ms:.4g} ms"
            if ms.low_ms > budget_ms:
                failures.append(told)
            elif ms.high_ms > budget_ms:
                open_questions.append(f"{told}, which lies in the interval")
            else:
                notes.append(told)
    verdict: Verdict = "FAIL" if failures else "INCONCLUSIVE" if open_questions else "PASS"
    return FolderVerdict(verdict, tuple(failures or open_questions), tuple(notes), chosen, tuple(models))
