"""`hwnas doctor`, `hwnas runtimes` and `hwnas spaces`: what this machine and this version have to offer."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.answer import Answer, columns
from hwnas.cli.display import one_stage

if TYPE_CHECKING:
    from hwnas.spaces import SearchSpace

_MARKS = {"ok": "OK  ", "note": "--  ", "fix": "FIX "}
WHAT_FOR = {
    "mbconv-32": "small images; networks below a millisecond on a CPU core",
    "mbconv-112": "images that need some detail; networks of one to three milliseconds",
    "mbconv-224": "photos at full resolution, with ImageNet's strides",
    "ofa-mbv3": "once-for-all's MobileNetV3, to compare with it",
    "regnet-32": "plain residual networks for small images",
    "regnet-224": "plain residual networks for photos",
    "nse-32": "small images; any subset of eleven branches at every place",
    "nse-27": "NSE at full resolution: 27 branches at each of 22 places",
    "nse-72": "NSE's second space: 72 branches at each of 22 places",
    "nse-gpu": "NSE for GPUs: 19 branches at each of 21 places, full convolutions among them",
    "nb201": "NAS-Bench-201, to compare search methods",
    "nb101": "NAS-Bench-101, to compare search methods",
    "nasbench-macro": "NAS-Bench-Macro, to compare search methods",
}


def doctor() -> Answer:
    """Say what of this machine is fit to measure and what is installed; exit code 1 when something needs fixing.

    Takes about ten seconds, in which the reference network is measured against itself. One line per finding: OK, or
    FIX and what to do; lines with -- name what could be installed.
    """
    from hwnas.doctor.examine import examine

    with one_stage("noise floor") as progress:
        findings = examine(progress)
    width = max(len(f.name) for f in findings)
    lines = [
        f"{_MARKS[f.level]}{f.name:<{width}}  {f.text}" + (f" -> {f.fix}" if f.fix is not None else "")
        for f in findings
    ]
    to_fix = sum(f.level == "fix" for f in findings)
    lines.append(f"{to_fix} to fix" if to_fix else "fit to measure")
    return Answer({"fit": not to_fix, "findings": [asdict(f) for f in findings]}, "\n".join(lines), 1 if to_fix else 0)


def runtimes() -> Answer:
    """List every inference runtime: its version here, or what to install, and the device that it runs on."""
    from hwnas.doctor.software import runtime_states

    states = runtime_states()
    rows = [(s.name, s.device_kind, s.version or "-", s.problem or "ready") for s in states]
    record = {"runtimes": [{**asdict(s), "ready": s.ready} for s in states]}
    return Answer(record, columns(("runtime", "device", "version", "here"), rows))


def spaces(
    name: Annotated[str | None, typer.Argument(help="show the genes of this space; file.py:Class for your own")] = None,
) -> Answer:
    """List the search spaces that ship: networks, input, ops to measure, and what each is for.

    With a NAME: its genes and their values, as `hwnas run --allow` and `--fix` take them.
    """
    from hwnas.spaces import load_space
    from hwnas.spaces.load import SPACES

    if name is not None:
        return _genes(load_space(name))

    found, rows = [], []
    for name in SPACES:
        space, what_for = load_space(name), WHAT_FOR[name]
        shape, ops = space.input_shape, len(space.all_ops)
        found.append({"name": name, "networks": space.size, "input_shape": shape, "ops": ops, "what_for": what_for})
        rows.append((name, f"{Decimal(space.size):.2g}", "x".join(map(str, shape)), str(ops), what_for))
    return Answer({"spaces": found}, columns(("space", "networks", "input", "ops", "what for"), rows))


def _genes(space: SearchSpace) -> Answer:
    named = dict(zip(space.gene_names, space.gene_values, strict=True))
    rows = [(gene, ", ".join(values)) for gene, values in named.items()]
    record = {"name": space.name, "genes": {gene: list(values) for gene, values in named.items()}}
    return Answer(record, columns(("gene", "values"), rows))
