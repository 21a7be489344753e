"""`hwnas table ls`, `show`, `export` and `diff`: what tables say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from hwnas.cli.answer import Answer, line
from latency_tables import HwnasError, LatencyTable, load_table
from latency_tables.compare import TableDiff, compare
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


def diff(
    a: Annotated[Path, typer.Argument(help="folder of a table")],
    b: Annotated[Path, typer.Argument(help="folder of another one")],
    top: Annotated[int, typer.Option(min=0, help="how many of the ops that changed most to show")] = 10,
) -> Answer:
    """Compare two tables: where they come from, their ops, and how many times as long each takes in B."""
    d = compare(load_table(a), load_table(b))
    only: list[RenderableType] = []
    for name, ops in (("A", d.only_a), ("B", d.only_b)):
        if ops:
            shown = "; ".join(op.key for op in ops[:top]) + ("; ..." if len(ops) > top else "")
            only.append(line(f"{len(ops)} ops have a time in {name} only: {shown}"))
    return Answer(_diff_object(d), Group(_fields(d), *only, *_changes(d, top)))


def _ratio(d: TableDiff) -> dict[str, float] | None:
    if not d.changes:
        return None
    return {"median": float(np.median(d.ratios)), "min": float(d.ratios.min()), "max": float(d.ratios.max())}


def _diff_object(d: TableDiff) -> dict[str, object]:
    return {
        "fields": d.fields,
        "only_a": [op.key for op in d.only_a],
        "only_b": [op.key for op in d.only_b],
        "shared": len(d.changes),
        "ratio": _ratio(d),
        "disjoint": d.disjoint,
        "spearman": d.spearman,
        "changes": [{**vars(c), "op": c.op.key, "ratio": c.ratio} for c in d.changes],
    }


def _fields(d: TableDiff) -> RenderableType:
    if not d.fields:
        return "the provenance is the same"
    grid = Table("differs in", "A", "B", box=None)
    for name, values in d.fields.items():
        grid.add_row(escape(name), *("-" if v is None else escape(str(v)) for v in values))
    return grid


def _changes(d: TableDiff, top: int) -> list[RenderableType]:
    ratio = _ratio(d)
    if ratio is None:
        return ["no op has a time in both"]
    spearman = "" if d.spearman is None else f"; Spearman of their times {d.spearman:.4f}"
    summary = line(
        f"{len(d.changes)} ops in both: B/A median {ratio['median']:.4f}, {ratio['min']:.4f} to {ratio['max']:.4f}; "
        f"95 % intervals apart: {d.disjoint}{spearman}"
    )
    grid = Table("changed most", "A us", "B us", "B/A", "intervals", box=None)
    for column in grid.columns[1:4]:
        column.justify = "right"
    for c in d.changes[:top]:
        apart = "apart" if c.disjoint else ""
        grid.add_row(escape(c.op.key), f"{c.a_us:.1f}", f"{c.b_us:.1f}", f"{c.ratio:.4f}", apart)
    return [summary, grid] if grid.rows else [summary]
