"""`hwnas table resources`: peak memory and energy of every op, beside its time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import one_stage
from latency_tables import ProfilerError, load_table, save_table


def resources(
    table: Annotated[Path, typer.Argument(help="folder of the table, which is written anew")],
    ops: Annotated[Path, typer.Option(help="the op models it was measured on: runs/NAME/ops")],
    runtime: Annotated[str | None, typer.Option(help="your own: file.py:Class [default: as the table says]")] = None,
    seconds: Annotated[float, typer.Option(help="how long each op runs where energy is counted")] = 1.0,
) -> Answer:
    """Add peak memory and energy to a table of this device, each op in a fresh process; where the device tells them.

    Goes on where it was stopped. Energy needs a counter that may be read (RAPL, often by root only; NVIDIA GPUs).
    """
    from profilers import read_plan
    from profilers.resources import measure_resources, with_resources
    from profilers.runtimes import profiler_for

    if not seconds > 0:
        raise ProfilerError(f"--seconds must be more than 0, got {seconds:g}")
    known, plan = load_table(table), read_plan(ops)
    t = known.provenance.target
    profiler = profiler_for(t, runtime)
    t.require(profiler.target(), f"the latency table {table}")
    with one_stage("memory and energy") as progress:
        found = measure_resources(plan, profiler, table / "resources.jsonl", seconds, progress)
    made = with_resources(known, found)
    save_table(made, table)
    told = {
        "ops": len(made.rows),
        "with_memory": sum(row.peak_memory_mb is not None for row in made.rows),
        "with_energy": sum(row.energy_mj is not None for row in made.rows),
        "failed": sum(mine.error is not None for mine in found.values()),
    }
    text = f"{table}: {told['with_memory']} of {told['ops']} ops with memory, {told['with_energy']} with energy"
    if told["failed"]:
        text += f"\n  {told['failed']} refused, first: {next(mine.error for mine in found.values() if mine.error)}"
    return Answer({"table": str(table), **told}, text)
