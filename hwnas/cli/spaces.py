"""`hwnas spaces`: which search spaces ship."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.answer import Answer, columns

if TYPE_CHECKING:
    from hwnas.spaces import SearchSpace

WHAT_FOR = {
    "mbconv-32": "small images; networks below a millisecond on a CPU core",
    "mbconv-112": "images that need some detail; networks of one to three milliseconds",
    "mbconv-224": "photos at full resolution, with ImageNet's strides",
    "ofa-mbv3": "once-for-all's MobileNetV3, to compare with it",
    "regnet-32": "plain residual networks for small images",
    "regnet-224": "plain residual networks for photos",
    "nb201": "NAS-Bench-201, to compare search methods",
    "nb101": "NAS-Bench-101, to compare search methods",
    "nasbench-macro": "NAS-Bench-Macro, to compare search methods",
}


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

    found = [(name, load_space(name)) for name in SPACES]
    record = {
        "spaces": [
            {
                "name": name,
                "networks": space.size,
                "input_shape": list(space.input_shape),
                "ops": len(space.all_ops),
                "what_for": WHAT_FOR[name],
            }
            for name, space in found
        ]
    }
    rows = [
        (name, f"{space.size:.2g}", "x".join(map(str, space.input_shape)), str(len(space.all_ops)), WHAT_FOR[name])
        for name, space in found
    ]
    return Answer(record, columns(("space", "networks", "input", "ops", "what for"), rows))


def _genes(space: SearchSpace) -> Answer:
    named = dict(zip(space.gene_names, space.gene_values, strict=True))
    rows = [(gene, ", ".join(values)) for gene, values in named.items()]
    record = {"name": space.name, "genes": {gene: list(values) for gene, values in named.items()}}
    return Answer(record, columns(("gene", "values"), rows))
