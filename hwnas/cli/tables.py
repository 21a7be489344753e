"""`hwnas table`: look at tables, and measure a plan where there is no torch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hwnas.cli.display import ConsoleDisplay
from latency_tables import LatencyTable, load_table, save_table

app = typer.Typer(help="Latency tables: show one, or measure a plan on this device.", rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def _object(table: LatencyTable) -> dict[str, object]:
    return {
        "provenance": asdict(table.provenance),
        "rows": [{"op": row.op.key, **{k: v for k, v in asdict(row).items() if k != "op"}} for row in table.rows],
    }


@app.command()
def show(folder: Path, as_json: AsJson = False) -> None:
    """Print a table: where it comes from, and every op's time."""
    table = load_table(folder)
    if as_json:
        print(json.dumps(_object(table)))
        return
    p, console = table.provenance, Console(highlight=False)
    t = p.target
    console.print(f"[bold]{p.space}[/] on {t.device}", soft_wrap=True)
    console.print(f"{t.runtime} {t.runtime_version}, {t.precision}, batch {t.batch}, {t.threads} thread(s)")
    console.print(f"measured {p.measured_at} in {p.seconds:.0f} s; reference {p.reference_us:.1f} us")
    grid = Table("op", "us", "+- %", "kB", "MMACs", "rounds", "stopped by")
    for column in grid.columns[1:6]:
        column.justify = "right"
    for row in sorted(table.rows, key=lambda r: -(r.median_us or 0)):
        cost = (f"{1e3 * row.cost.weight_mb:.1f}", f"{row.cost.macs / 1e6:.2f}", str(row.rounds))
        if row.median_us is None or row.ci95_high_us is None:
            grid.add_row(row.op.key, "-", "-", *cost, f"[red]{row.error}")
            continue
        half = 100 * (row.ci95_high_us / row.median_us - 1)
        grid.add_row(row.op.key, f"{row.median_us:.1f}", f"{half:.1f}", *cost, row.stop_reason)
    console.print(grid)


@app.command()
def measure(
    plan: Annotated[Path, typer.Argument(help="a folder of op models: runs/NAME/ops")],
    out: Annotated[Path, typer.Option(help="folder of the table to write")],
    runtime: Annotated[str, typer.Option(help="inference runtime")] = "onnxruntime",
    threads: Annotated[int, typer.Option(help="threads of the runtime")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure a folder of op models into a table; needs the runtime, no torch. Goes on where it was stopped."""
    from profilers import Protocol, measure_plan, read_plan, table_from_plan
    from profilers.worker import make_profiler

    planned, profiler, protocol = read_plan(plan), make_profiler(runtime, threads, 1), Protocol()
    with ConsoleDisplay().stage("latency table") as progress:
        visits = measure_plan(planned, profiler, out / "journal.jsonl", protocol, progress)
    table = table_from_plan(planned, profiler, visits, protocol)
    save_table(table, out)
    failed = sum(row.error is not None for row in table.rows)
    answer = {"table": str(out), "ops": len(table.rows), "failed": failed}
    print(json.dumps(answer) if as_json else f"{out}: {len(table.rows)} ops, {failed} refused by the runtime")
