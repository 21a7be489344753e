"""The folder that is handed over: how long it takes to write, and whether anything in it can be changed unnoticed.

The network has random weights, for nothing here depends on what it has learnt.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._speak import say
from benchmarks.mutations import mutate
from deploy.export import export_network
from deploy.folder import FolderManifest, Handed, Wanted, manifest_of, verify_folder, write_folder
from deploy.folder.manifest import MANIFEST, FileRecord
from deploy.folder.trust import may_open
from deploy.formats import FORMATS
from deploy.manifest import read_manifest
from hwnas.data import load_dataset
from hwnas.spaces import load_space
from hwnas.training import Batches, recalibrate
from latency_tables import HwnasError
from profilers.runtimes.tensorrt.package import TENSORRT_RTX, find_tensorrt

_PATHS = ("../README.md", "/etc/passwd", "a/../../b", "..", "a/./b", "a//b", "a\\b", "", "~", ".hidden", "a/b/c/d/e")
_FORGED_SHARE = 50  # each of these takes seconds: models are opened
REFUSED, PASSED, TRACEBACK = "refused", "passed", "traceback"


def folder(mutants: int, seed: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Seconds of an export and of a whole folder, and per cent of what was tampered with that is refused."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_STATE_HOME"] = f"{scratch}/state"  # engines built here are nobody's business
        where = Path(scratch)
        handed, export_seconds = _exported(where, seed)
        wanted = Wanted(("onnx", "openvino"), ("fp32", "fp16", "int8"), max_drop_points=100, measure=False)
        started = time.monotonic()
        manifest = write_folder(handed, wanted, where / "f")
        seconds = time.monotonic() - started
        say(f"export {export_seconds:.2f} s, folder of {len(manifest.models)} models {seconds:.1f} s")
        started = time.monotonic()
        whole = verify_folder(where / "f")
        verified = time.monotonic() - started
        if whole.verdict != "PASS":
            raise HwnasError(f"the untouched folder is not as it says: {'; '.join(whole.reasons)}")
        outcomes = {
            "one byte": Counter(_one_byte(where / "f", rng)),
            "paths": Counter(_escapes(where / "f", where)),
            "mutants": Counter(_mutants(where / "f", mutants, rng)),
        }
        forged = Counter(_forged(handed, where / "g", max(mutants // _FORGED_SHARE, 1), rng))
        plans = _plans(handed, where / "h", rng)
    tampered = sum(outcomes.values(), Counter())
    figures = {
        "export_seconds": export_seconds,
        "folder_seconds": seconds,
        "tampered_refused_pct": 100 * tampered[REFUSED] / tampered.total(),
        "tampered_tracebacks": float(tampered[TRACEBACK] + forged[TRACEBACK]),
    }
    if plans is not None:
        figures["plans_opened_untrusted"] = float(plans)
    details = {"models": [m.name for m in manifest.models], "verify_seconds": verified, "forged": dict(forged)}
    return figures, {**details, **{name: dict(count) for name, count in outcomes.items()}}


def _exported(where: Path, seed: int) -> tuple[Handed, float]:
    data = load_dataset("digits", limit=600)
    space = load_space("mbconv-32", data.num_classes)
    arch = space.sample(np.random.default_rng(seed), 1)[0]
    network, path = space.build(arch), where / "model.onnx"
    recalibrate(network, Batches(data, 64).plain(data.train, limit=256))  # values in a range that int8 can have
    started = time.monotonic()
    export_network(network, data, path, architecture=space.to_text(arch), space=space.name)
    seconds = time.monotonic() - started
    return Handed("random", ((path.read_bytes(), read_manifest(path), "between-ops"),), data), seconds


def _outcome(folder: Path) -> str:
    try:
        return REFUSED if verify_folder(folder).verdict == "FAIL" else PASSED
    except HwnasError:
        return REFUSED
    except Exception as e:  # this is what is counted
        say(f"{type(e).__name__}: {e}")
        return TRACEBACK


def _with(path: Path, content: bytes, ask: Callable[[], str]) -> str:
    """What is said while a file has another content."""
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        return ask()
    finally:
        path.write_bytes(whole)


def _one_byte(folder: Path, rng: random.Random) -> Iterator[str]:
    for file in (p for p in sorted(folder.rglob("*")) if p.is_file()):
        content = file.read_bytes()
        for at in {0, len(content) - 1, *(rng.randrange(len(content)) for _ in range(5))}:
            other = content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
            yield _with(file, other, lambda: _outcome(folder))


def _escapes(folder: Path, scratch: Path) -> Iterator[str]:
    """Paths in a manifest that is signed anew, links in place of files and folders, a file that nobody listed."""
    manifest = manifest_of(folder)
    for path in _PATHS:
        files = {**manifest.files, path: FileRecord(1, "0" * 64)}
        yield _with(folder / MANIFEST, replace(manifest, files=files).to_bytes(), lambda: _outcome(folder))
    for name in ("infer.py", manifest.models[0].name, MANIFEST):
        (folder / name).rename(scratch / "outside")
        (folder / name).symlink_to(scratch / "outside")
        yield _outcome(folder)
        (folder / name).unlink()
        (scratch / "outside").rename(folder / name)
    (folder / "more").write_bytes(b"")
    yield _outcome(folder)
    (folder / "more").unlink()


def _mutants(folder: Path, count: int, rng: random.Random) -> Iterator[str]:
    """ONNX files and the manifest, changed somewhere."""
    files = [*sorted(folder.rglob("*.onnx")), folder / MANIFEST]
    while count:
        file = rng.choice(files)
        content = file.read_bytes()
        if (other := mutate(content, rng)) != content:
            yield _with(file, other, lambda: _outcome(folder))
            count -= 1


def _forged(handed: Handed, folder: Path, count: int, rng: random.Random) -> Iterator[str]:
    """ONNX mutants whose digests were made to fit, as whoever writes a folder can: what counts is no traceback.

    A changed weight may well pass, for the folder then is what it says.
    """
    write_folder(handed, Wanted(measure=False), folder)
    manifest = manifest_of(folder)
    source = folder / manifest.models[0].source
    for _ in range(count):
        other = mutate(source.read_bytes(), rng)
        fitting = _fitting(manifest, manifest.models[0].source, other).to_bytes()
        yield _with(source, other, lambda fitting=fitting: _with(folder / MANIFEST, fitting, lambda: _outcome(folder)))  # type: ignore[misc]


def _fitting(manifest: FolderManifest, path: str, content: bytes) -> FolderManifest:
    digest = hashlib.sha256(content).hexdigest()
    models = tuple(
        replace(m, contract=replace(m.contract, sha256=digest)) if m.source == path else m for m in manifest.models
    )
    return replace(manifest, models=models, files={**manifest.files, path: FileRecord(len(content), digest)})


def _plans(handed: Handed, folder: Path, rng: random.Random) -> int | None:
    """How many changed plans would be opened on the word of a manifest alone; None where none can be built."""
    try:
        find_tensorrt(TENSORRT_RTX)
    except HwnasError:
        return None
    wanted = Wanted((FORMATS[TENSORRT_RTX].name,), capabilities=("8.6",), measure=False)
    manifest = write_folder(handed, wanted, folder)
    (model,) = manifest.models
    (path,) = model.file_paths(manifest.files).values()
    content = (folder / path).read_bytes()
    opened = 0
    for _ in range(100):
        if (other := mutate(content, rng)) != content:
            opened += may_open(_fitting(manifest, path, other), model, {manifest.files[path].sha256})
    shutil.rmtree(folder)
    return opened
