"""How every benchmark speaks: people on standard error, one JSON object as the last line of standard output."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from profilers.device.machine import cpu_name

DATA_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
_PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "scikit-learn", "pymoo")


def say(text: str) -> None:
    """One line for people."""
    print(text, file=sys.stderr, flush=True)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """--save and --json, which every benchmark has."""
    parser.add_argument(
        "--save", type=Path, help="write figures and details to this JSON file, a plot beside it if any"
    )
    parser.add_argument("--json", action="store_true", help="accepted for symmetry: the last line is always JSON")


def listed(parser: argparse.ArgumentParser, what: str, given: str, known: Iterable[str]) -> list[str]:
    """Names with commas between, or "all"; ends the program when one is unknown."""
    known = list(known)
    names = known if given == "all" else given.split(",")
    for name in names:
        if name not in known:
            parser.error(f"unknown {what} {name!r}; there are {', '.join(known)}")
    return names


def flat(results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The figures of one result have plain names; those of several have the result's before theirs."""
    if len(results) == 1:
        return dict(*results.values())
    return {f"{name} {figure}": value for name, values in results.items() for figure, value in values.items()}


def _without_folders(arguments: list[str]) -> list[str]:
    """The command without where it kept its files, and data by file name: folders are this machine's business."""
    kept = list(arguments)
    for option in ("--out", "--save", "--plot", "--data-folder"):
        if option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
    return [Path(a).name if Path(a).exists() else a for a in kept]


def publish(
    name: str,
    figures: Mapping[str, float],
    settings: Mapping[str, Any],
    seed: int,
    details: Mapping[str, Any],
    save_as: Path | None,
) -> None:
    """Print the figures as a table and as JSON; keep the JSON under `save_as` when given."""
    say(f"\n{name}")
    for figure, value in figures.items():
        say(f"  {figure:<24} {value:.6g}")
    document = {
        "figures": dict(figures),
        "settings": dict(settings),
        "device": cpu_name(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
        "seed": seed,
        "command": " ".join(["python -m", f"benchmarks.{name}", *_without_folders(sys.argv[1:])]),
    }
    if save_as is not None:
        save_as.parent.mkdir(parents=True, exist_ok=True)
        save_as.write_text(json.dumps({**document, "details": dict(details)}, indent=1, default=float) + "\n")
    print(json.dumps(document, default=float))
