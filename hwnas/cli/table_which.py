"""`hwnas table which`: the networks to time for `hwnas table fit`."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import say_loading
from latency_tables import load_table
from latency_tables.storage.files import write_atomically


def which(
    space: Annotated[str, typer.Option(help="whose networks: a space that ships, or file.py:ClassName")],
    k: Annotated[int, typer.Option("-k", min=1, help="how many; `table fit` needs five, ten or more are better")] = 10,
    like: Annotated[list[Path] | None, typer.Option(help="folder of another device's table; may repeat")] = None,
    classes: Annotated[int, typer.Option(min=1, help="classes that the networks tell apart")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="which random networks to choose from")] = 0,
    out: Annotated[Path | None, typer.Option(help="CSV file to write, its column ms still empty")] = None,
) -> Answer:
    """Choose the networks whose timings say most about all the others; one per line, the most telling one first.

    With --out they go into a CSV file: fill in the ms of each, then `hwnas table fit`.

    \b
    Example:
      hwnas table which --space mbconv-32 -k 12 --like tables/pi --out runs.csv
    """
    say_loading()
    from hwnas.spaces import load_space
    from hwnas.tables.which import networks_to_fit_on

    of_space = load_space(space, classes)
    chosen = networks_to_fit_on(of_space, k, [load_table(folder) for folder in like or ()], seed)
    archs = [of_space.to_text(arch) for arch in chosen]
    record = {"space": of_space.name, "archs": archs, "csv": None if out is None else str(out)}
    if out is None:
        return Answer(record, "\n".join(archs))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("arch", "ms"), *((arch, "") for arch in archs)])
    write_atomically(out, text.getvalue().encode())
    return Answer(record, f"{out}: {len(archs)} networks; fill in the column ms, then hwnas table fit {out}")
