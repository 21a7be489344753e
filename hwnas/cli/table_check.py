"""`hwnas table check`: does a table still say what the device does?"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import one_stage, say_loading


def check(
    table: Annotated[Path, typer.Argument(help="folder of the table")],
    space: Annotated[str | None, typer.Option(help="its search space [default: as the table says]")] = None,
    classes: Annotated[int, typer.Option(help="classes that the networks tell apart")] = 10,
    runtime: Annotated[str | None, typer.Option(help="your own: file.py:Class [default: as the table says]")] = None,
    nets: Annotated[int, typer.Option(help="how many fresh networks to measure")] = 50,
    seed: Annotated[int, typer.Option(help="which networks; never the one of the calibration")] = 1,
    work: Annotated[Path | None, typer.Option(help="keep models and journals here, to go on after a stop")] = None,
) -> Answer:
    """Measure fresh networks and compare; exit code 1 when the table no longer fits this device.

    A table without calibration networks beside it (networks.csv) is calibrated first. Writes check.json and check.png
    beside the table.
    """
    say_loading()
    from hwnas.spaces import load_space
    from hwnas.tables.check import check_table, write_check
    from hwnas.tables.workbench import Workbench
    from latency_tables import HwnasError, load_table
    from profilers.runtimes import profiler_for

    if nets < 1 or seed < 0:
        raise HwnasError("--nets must be at least 1 and --seed at least 0")
    loaded = load_table(table)
    target = loaded.provenance.target
    made = load_space(space or loaded.provenance.space, classes)
    profiler = profiler_for(target, runtime)
    with tempfile.TemporaryDirectory() if work is None else nullcontext(str(work)) as folder:
        bench = Workbench(made, profiler, Path(folder))
        with one_stage("checking the table") as progress:
            done = check_table(table, loaded, bench, nets, seed, progress)
    write_check(done, table, seed)
    problem, figures = done.problem, done.figures()
    lines = [f"  {name:<22} {value:.4g}" for name, value in figures.items()]
    lines += ["the table fits" if problem is None else f"the table does not fit: {problem}", f"  {table / 'check.png'}"]
    record = {"table": str(table), "fits": problem is None, "problem": problem, **figures}
    return Answer(record, "\n".join(lines), 0 if problem is None else 1)
