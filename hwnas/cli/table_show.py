"""`hwnas table ls`, `show` and `export`: what tables say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from hwnas.cli.answer import Answer, line
from latency_tables import HwnasError, LatencyTable, load_table
from latency_tables.storage.csv_export import table_csv
from latency_tables.storage.files import write_atomically
from latency_tables.storage.find import FoundTable, find_tables, shipped_tables

_RESOURCES = {"peak_memory_mb": "peak MB", "energy_mj": "mJ"}


def _summary(found: FoundTable) -> dict[str, object]:
    if found.table is None:
        return {"folder": str(found.folder), "problem": found.problem}
    p = found.table.provenance
    rows = found.table.rows
    counts = {"ops": len(rows), "failed": sum(row.median_us is None for row in rows)}
    return {"folder": str(found.folder), **asdict(p.target), "space": p.space, **counts, "measured_at": p.measured_at}


def ls(
    folders: Annotated[list[Path] | None, typer.Argument(help="where to look [default: the tables that ship]")] = None,
) -> Answer:
    """List every table below some folders; a damaged one with the reason."""
    shipped = [f for f in (shipped_tables(),) if f.is_dir()]
    found = find_tables(folders or shipped)
    record = {"tables": [_summary(f) for f in found]}
    if not found:
        where = f"lies below {', '.join(map(str, folders))}" if folders else "ships with this version"
        return Answer(record, f"no latency table {where}; make one with `hwnas profile`")
    grid = Table("device", "runtime", "precision", "threads", "space", "ops", "measured", "folder", box=None)
    for column in grid.columns:
        column.overflow = "fold"
    for f in found:
        if f.table is not None:
            p, t = f.table.provenance, f.table.provenance.target
            runtime, ops = f"{t.runtime} {t.runtime_version}", str(len(f.table.rows))
            cells = (t.device, runtime, t.precision, str(t.threads), p.space, ops, p.measured_at, str(f.folder))
            grid.add_row(*map(escape, cells))
    damaged = [line(f"damaged: {f.problem}") for f in found if f.problem]
    return Answer(record, Group(*([grid] if grid.rows else []), *damaged))


def _object(table: LatencyTable) -> dict[str, object]:
    return {
        "provenance": asdict(table.provenance),
        "rows": [{"op": row.op.key, **{k: v for k, v in asdict(row).items() if k != "op"}} for row in table.rows],
    }


def show(folder: Path) -> Answer:
    """Print a table: where it comes from, and every op's time."""
    table = load_table(folder)
    p, t = table.provenance, table.provenance.target
    head: list[RenderableType] = [
        line(f"{p.space} on {t.device}"),
        line(f"{t.runtime} {t.runtime_version}, {t.precision}, batch {t.batch}, {t.threads} thread(s)"),
        line(f"measured {p.measured_at} in {p.seconds:.0f} s; reference {p.reference_us:.1f} us"),
    ]
    told = [(name, unit) for name, unit in _RESOURCES.items() if any(getattr(r, name) is not None for r in table.rows)]
    grid = Table("op", "us", "+- %", "kB", "MMACs", *(unit for _, unit in told), "rounds", "stopped by")
    for column in grid.columns[1:-1]:
        column.justify = "right"
    for row in sorted(table.rows, key=lambda r: -(r.median_us or 0)):
        resources = ("-" if (r := getattr(row, name)) is None else f"{r:.3g}" for name, _ in told)
        cost = (f"{1e3 * row.cost.weight_mb:.1f}", f"{row.cost.macs / 1e6:.2f}", *resources, str(row.rounds))
        if row.median_us is None:
            grid.add_row(escape(row.op.key), "-", "-", *cost, f"[red]{escape(row.error or '')}")
            continue
        half = "-" if row.ci95_high_us is None else f"{100 * (row.ci95_high_us / row.median_us - 1):.1f}"
        grid.add_row(escape(row.op.key), f"{row.median_us:.1f}", half, *cost, escape(row.stop_reason))
    return Answer(_object(table), Group(*head, grid))


def export(
    table: Annotated[Path, typer.Argument(help="folder of the table")],
    csv: Annotated[str, typer.Option(help="file to write; - for standard output")],
) -> Answer:
    """Write a table as CSV: every column of every op, with units in the names.

    \b
    Example:
      hwnas table export tables/pi --csv pi.csv
    """
    text = table_csv(load_table(table))
    record = {"csv": csv, "ops": text.count("\n") - 1}
    if csv == "-":
        return Answer({**record, "text": text}, text.rstrip("\n"))
    if not Path(csv).name:
        raise HwnasError(f"--csv {csv!r} names no file; give one, or - for standard output")
    write_atomically(Path(csv), text.encode())
    return Answer(record, f"{csv}: {record['ops']} ops")
