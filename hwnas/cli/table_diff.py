"""`hwnas table diff`: what two tables say differently."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from hwnas.cli.answer import Answer, line
from latency_tables import load_table
from latency_tables.compare import TableDiff, compare


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
    return Answer(_object(d), Group(_fields(d), *only, *_changes(d, top)))


def _ratio(d: TableDiff) -> dict[str, float] | None:
    if not d.changes:
        return None
    return {"median": float(np.median(d.ratios)), "min": float(d.ratios.min()), "max": float(d.ratios.max())}


def _object(d: TableDiff) -> dict[str, object]:
    return {
        "fields": d.fields,
        "only_a": [op.key for op in d.only_a],
        "only_b": [op.key for op in d.only_b],
        "shared": len(d.changes),
        "ratio": _ratio(d),
        "disjoint": d.disjoint,
        "spearman": d.spearman,
        "changes": [
            {"op": c.op.key, "a_us": c.a_us, "b_us": c.b_us, "ratio": c.ratio, "disjoint": c.disjoint}
            for c in d.changes
        ],
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
