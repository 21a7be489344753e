"""A kit: one file that measures a space on a board that has python3, numpy and a runtime. No torch, nothing to install.

It is a zipapp (PEP 441): `latency_tables` and this package, plans by name, `kit.json`. What it measures goes into a
folder that `profilers.boards.results` reads. A kit without plans only says what the board is.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path

from latency_tables import HwnasError, ProfilerError, Target
from latency_tables.errors import NotInstalledError
from latency_tables.progress import Progress
from latency_tables.storage.files import json_bytes, replacing, write_atomically, write_json
from latency_tables.storage.serialise import from_plain, parse_json
from profilers._base import Profiler, RuntimeSetting
from profilers.device.machine import versions_here
from profilers.plan import Plan, read_plan
from profilers.profile import measure_plan
from profilers.protocol import Protocol

OPS, NETWORKS = "ops", "networks"
RECORD = "board.json"
_SETTINGS = "kit.json"
_PACKAGES = ("latency_tables", "profilers")

# Read by any Python 3, so that an old one is told what it is.
_MAIN = """\
import sys
import zipfile
from pathlib import Path

kit = Path(__file__).parent
if sys.version_info < (3, 11):
    sys.exit("kit: it needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2])
try:
    with zipfile.ZipFile(str(kit)) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                archive.read(name)  # checks it; importing does not
except zipfile.BadZipFile:
    sys.exit("kit: %s is damaged: copy it again" % kit)
try:
    import numpy
except ImportError:
    sys.exit("kit: it needs numpy: pip install numpy")

from profilers.boards.kit_main import main

sys.exit(main(kit))
"""


@dataclass(frozen=True)
class Part:
    """A plan, how it is visited, and whether each round has a process of its own however slow the runtime starts."""

    plan: Plan
    protocol: Protocol
    fresh: bool = False

    @property
    def name(self) -> str:
        """What it is called in a kit of its own."""
        return OPS if self.plan.costs else NETWORKS


@dataclass(frozen=True)
class Kit:
    """An opened kit: the runtime's setting, and by name what is measured, in this order."""

    setting: RuntimeSetting
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class BoardRecord:
    """`board.json`: what measured into a folder, and how each part was visited."""

    target: Target
    int8_form: str
    quick_to_start: bool
    protocols: Mapping[str, Protocol]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class _Visits:
    """What `kit.json` says of a part."""

    protocol: Protocol
    fresh: bool


@dataclass(frozen=True)
class _Settings:
    """`kit.json`."""

    setting: RuntimeSetting
    parts: Mapping[str, _Visits] = field(default_factory=dict)


def pack_kit(parts: Mapping[str, Part], setting: RuntimeSetting, out: Path) -> None:
    """Write a kit of plans on disk to `out`; the same plans and settings make the same bytes.

    Raises `HwnasError` when a model is damaged or the file cannot be written.
    """
    try:
        with replacing(out, mode=0o777) as file:
            file.write(b"#!/usr/bin/env python3\n")
            # Stored, not deflated: weights do not shrink, and models are read again before every visit.
            # Not Zip64: Python before 3.13 does not import from it.
            with zipfile.ZipFile(file, "w", allowZip64=False) as archive:
                for name, content in _contents(parts, setting):
                    archive.writestr(zipfile.ZipInfo(name), content)
    except zipfile.LargeZipFile:
        raise HwnasError(f"{out} would be over 2 GB; give it fewer networks") from None


def _contents(parts: Mapping[str, Part], setting: RuntimeSetting) -> Iterator[tuple[str, bytes]]:
    yield "__main__.py", _MAIN.encode()
    for package in _PACKAGES:
        root = Path(str(resources.files(package)))
        for source in sorted(root.rglob("*.py")):
            yield f"{package}/{source.relative_to(root).as_posix()}", source.read_bytes()
    yield _SETTINGS, json_bytes(asdict(_Settings(setting, {n: _Visits(p.protocol, p.fresh) for n, p in parts.items()})))
    for name, part in parts.items():
        yield from ((f"{name}/{file}", content) for file, content in part.plan.index().items())
        yield from ((f"{name}/{model.file}", part.plan.model(model)) for model in part.plan.models)


def read_kit(path: Path) -> Kit:
    """Open a kit; raises `HwnasError` when it is not a kit, or damaged."""
    try:
        archive = zipfile.ZipFile(path)
        settings = from_plain(_Settings, parse_json(archive.read(_SETTINGS)))
        parts = {
            name: Part(read_plan(zipfile.Path(archive, f"{name}/")), visits.protocol, visits.fresh)
            for name, visits in settings.parts.items()
        }
    except OSError as e:
        raise HwnasError(f"cannot read the kit {path}: {e.strerror}") from None
    except (zipfile.BadZipFile, ValueError, KeyError, NotImplementedError, HwnasError):
        raise HwnasError(f"{path} is not a kit, or damaged: make it with `hwnas kit`, or copy it again") from None
    return Kit(settings.setting, parts)


def measure_kit(
    kit: Kit, out: Path, stage: Callable[[str], Progress], runtime: str | None = None, threads: int | None = None
) -> None:
    """Measure every part into the folder `out`; resumes where it was stopped.

    `stage` is called with the name of each part and gives it its progress; `runtime` and `threads` overrule the kit's.
    Raises `HwnasError` when the runtime is missing, `out` holds measurements of another kit, runtime or setting, or
    the disk is full.
    """
    asked = kit.setting
    if runtime is not None:
        asked = replace(asked, runtime=runtime)
    if threads is not None:
        asked = replace(asked, threads=threads)
    profiler = _profiler(asked)
    _claim(kit, out, profiler)
    for name, part in kit.parts.items():
        measure_plan(part.plan, profiler, out / f"{name}.jsonl", part.protocol, stage(name), part.fresh)


def _profiler(setting: RuntimeSetting) -> Profiler:
    from profilers.runtimes import make_profiler

    try:
        return make_profiler(**vars(setting))
    except NotInstalledError as e:  # hwnas itself is not on this board, so its extras are no help here
        raise ProfilerError(f"{e.package} is not installed on this machine: pip install {e.package}") from None


def _claim(kit: Kit, out: Path, profiler: Profiler) -> None:
    """Note in `out` what is measured there; raises `HwnasError` when it is something else already."""
    protocols = {name: part.protocol for name, part in kit.parts.items()}
    record = BoardRecord(profiler.target(), profiler.int8_form, profiler.quick_to_start, protocols, versions_here())
    files = {f"{n}/{file}": content for n, part in kit.parts.items() for file, content in part.plan.index().items()}
    measured = any((out / f"{name}.jsonl").exists() for name in kit.parts)
    if measured and (different := _different(record, files, out)):
        raise HwnasError(f"{out} holds measurements of another {different}; choose another folder with --out")
    for name, content in files.items():
        write_atomically(out / name, content)
    write_json(out / RECORD, asdict(record))


def _different(record: BoardRecord, files: Mapping[str, bytes], out: Path) -> str:
    """What makes the measurements in `out` others than ours; nothing when they are the same work."""
    try:
        before = from_plain(BoardRecord, parse_json((out / RECORD).read_bytes()))
        same_files = all((out / name).read_bytes() == content for name, content in files.items())
    except (OSError, ValueError):
        return "kit"
    if not same_files:
        return "kit"
    then, now = vars(before.target), vars(record.target)
    changed = [f"{k} ({then[k]}, now {now[k]})" for k in now if k != "power_mode" and then[k] != now[k]]
    return ", ".join(changed) or ("" if before.protocols == record.protocols else "kit")
