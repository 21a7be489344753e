"""`hwnas table which` and `fit`: the networks to time on a device, and a table from their timings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import say_loading
from latency_tables import Target, load_table, save_table
from latency_tables.storage.csv_export import csv_text
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
    from hwnas.tables.fit import networks_to_fit_on

    of_space = load_space(space, classes)
    chosen = networks_to_fit_on(of_space, k, [load_table(folder) for folder in like or ()], seed)
    archs = [of_space.to_text(arch) for arch in chosen]
    record = {"space": of_space.name, "archs": archs, "csv": None if out is None else str(out)}
    if out is None:
        return Answer(record, "\n".join(archs))
    write_atomically(out, csv_text([("arch", "ms"), *((arch, "") for arch in archs)]).encode())
    return Answer(record, f"{out}: {len(archs)} networks; fill in the column ms, then hwnas table fit {out}")


def fit(
    runs: Annotated[Path, typer.Argument(help="CSV file with the columns arch (text of the space) and ms")],
    out: Annotated[Path, typer.Option(help="folder of the table to write")],
    device: Annotated[str, typer.Option(help="name of the device they were timed on, as the table is to call it")],
    runtime: Annotated[str, typer.Option(help="name of the inference runtime they were timed with")],
    space: Annotated[str, typer.Option(help="whose networks: a space that ships, or file.py:ClassName")],
    like: Annotated[list[Path] | None, typer.Option(help="folder of another device's table; may repeat")] = None,
    classes: Annotated[int, typer.Option(min=1, help="classes that the networks tell apart")] = 10,
    runtime_version: Annotated[str, typer.Option(help="version of the runtime")] = "unknown",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8")] = "fp32",
    batch: Annotated[int, typer.Option(min=1, help="images at a time")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="threads of the runtime")] = 1,
) -> Answer:
    """Fit a table on timings of whole networks, for a device on which blocks cannot be timed.

    Five networks at least; ten or more are better, and `hwnas table which` says which.

    \b
    Example:
      hwnas table fit runs.csv --space mbconv-32 --device "Pixel 9" --runtime tflite --out tables/pixel"""
    say_loading()
    from hwnas.spaces import load_space
    from hwnas.tables.fit import fit_table, read_runs

    target = Target(device, runtime, runtime_version, precision, batch, threads)
    of_space = load_space(space, classes)
    timed = read_runs(runs, of_space)
    fitted = fit_table(of_space, timed, target, [load_table(folder) for folder in like or ()])
    save_table(fitted.table, out)
    record = {
        "table": str(out),
        "ops": len(fitted.table.rows),
        "networks": len(timed.ms),
        "repeated_rows": timed.repeated,
        "counting": fitted.fit.counting,
        "left_out_error_pct": fitted.left_out_error_pct,
    }
    repeated = f"{runs}: {timed.repeated} rows repeat a network; its timings were averaged\n" if timed.repeated else ""
    counted = "every op" if fitted.fit.counting == "all" else f"only {fitted.fit.counting} ops"
    text = (
        f"{repeated}{out}: {len(fitted.table.rows)} ops from {len(timed.ms)} networks, counting {counted}\n"
        f"networks left out of the fit are {fitted.left_out_error_pct:.1f} % off on average"
    )
    return Answer(record, text)
