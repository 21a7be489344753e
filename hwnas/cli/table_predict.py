"""`hwnas table predict` and `check`: what a table says of whole networks, and whether the device says so too."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from hwnas.cli.answer import Answer, columns
from hwnas.cli.display import ConsoleDisplay, say_loading
from hwnas.run.settings import HELP
from latency_tables import HwnasError, load_table


def predict(
    table: Annotated[Path, typer.Argument(help="folder of the table")],
    arch: Annotated[list[str] | None, typer.Option(help="text of a network; may repeat")] = None,
    archs: Annotated[Path | None, typer.Option(help="CSV file of networks, with the column arch")] = None,
    space: Annotated[str | None, typer.Option(help="their search space [default: as the table says]")] = None,
    classes: Annotated[int, typer.Option(min=1, help="classes that the networks tell apart")] = 10,
) -> Answer:
    """Predict the milliseconds of networks and their 90 % interval, calibrated where networks.csv is beside the table.

    \b
    Example:
      hwnas table predict tables/pi --arch mbconv-32:se3k7/mb6k7/fu3k3/mb4k7,mb6k7
      hwnas table predict tables/pi --archs networks.csv --json
    """
    from hwnas.spaces import load_space
    from hwnas.tables.calibrated import load_model
    from hwnas.tables.csv_rows import read_arch, read_rows

    if (archs is None) == (not arch):
        raise HwnasError("give networks by --arch, which may repeat, or by --archs FILE")
    loaded = load_table(table)
    of_space = load_space(space or loaded.provenance.space, classes)
    named: list[tuple[str, str | None]] = [("--arch", text) for text in arch or ()]
    if archs is not None:
        named = [(f"{archs}, row {row}", cells["arch"]) for row, cells in read_rows(archs, ["arch"])]
    if not named:
        raise HwnasError(f"{archs} names no network")
    population = np.array([read_arch(of_space, text, where) for where, text in named])
    model, _ = load_model(table, loaded, of_space)
    p = model.predict(population)
    texts = [of_space.to_text(genotype) for genotype in population]
    found = list(zip(texts, p.ms.tolist(), p.lower_ms.tolist(), p.upper_ms.tolist(), strict=True))
    record = {
        "table": str(table),
        "calibrated": model.calibration is not None,
        "networks": [dict(zip(("arch", "ms", "lower_ms", "upper_ms"), one, strict=True)) for one in found],
    }
    text = columns(("ms", "lower", "upper", "arch"), ((*(f"{ms:.4g}" for ms in one[1:]), one[0]) for one in found))
    if model.calibration is None:
        text += "\na plain sum of ops that no whole network has calibrated"
    return Answer(record, text)


def check(
    table: Annotated[Path, typer.Argument(help="folder of the table")],
    space: Annotated[str | None, typer.Option(help="its search space [default: as the table says]")] = None,
    classes: Annotated[int, typer.Option(help="classes that the networks tell apart")] = 10,
    runtime: Annotated[str | None, typer.Option(help="your own: file.py:Class [default: as the table says]")] = None,
    nets: Annotated[int, typer.Option(help="how many fresh networks to measure")] = 50,
    seed: Annotated[int, typer.Option(help="which networks; never the one of the calibration")] = 1,
    work: Annotated[Path | None, typer.Option(help="keep models and journals here, to go on after a stop")] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help=HELP["rounds"])] = None,
    device: Annotated[
        str | None, typer.Option(help="where the device is: ssh://user@host[:port][/folder] [default: this machine]")
    ] = None,
    identity: Annotated[Path | None, typer.Option(help="private key for --device [default: as ssh does]")] = None,
    known_hosts: Annotated[Path | None, typer.Option(help="host keys to trust [default: ~/.ssh/known_hosts]")] = None,
) -> Answer:
    """Measure fresh networks and compare; exit code 1 when the table no longer fits this device.

    A table without calibration networks beside it (networks.csv) is calibrated first. Writes check.json and check.png
    beside the table.
    """
    say_loading()
    from hwnas.run.device import device_of_table
    from hwnas.spaces import load_space
    from hwnas.tables.check import check_table, write_check
    from hwnas.tables.workbench import Workbench
    from profilers.boards.ssh_login import Login
    from profilers.where import HERE

    if nets < 1 or seed < 0:
        raise HwnasError("--nets must be at least 1 and --seed at least 0")
    loaded = load_table(table)
    target = loaded.provenance.target
    if device is not None and runtime is not None:
        raise HwnasError("--runtime is a file on this machine; with --device the table says which runtime measures")
    made = load_space(space or loaded.provenance.space, classes)
    keep = tempfile.TemporaryDirectory() if work is None else nullcontext(str(work))
    with keep as folder, ConsoleDisplay() as display:
        where, login = Path(folder), Login(identity, known_hosts)
        measures = device_of_table(target, device or HERE, login, where / "device", display, runtime)
        bench = Workbench(made, measures, where, rounds)
        with display.stage("checking the table") as progress:
            done = check_table(table, loaded, bench, nets, seed, progress)
    write_check(done, table, seed)
    problem, figures = done.problem, done.figures()
    lines = [f"  {name:<22} {value:.4g}" for name, value in figures.items()]
    lines += ["the table fits" if problem is None else f"the table does not fit: {problem}", f"  {table / 'check.png'}"]
    record = {"table": str(table), "fits": problem is None, "problem": problem, **figures}
    return Answer(record, "\n".join(lines), 0 if problem is None else 1)
