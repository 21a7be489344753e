"""`hwnas table`: the verbs on latency tables, which stand in files of their own."""

from __future__ import annotations

import typer

from hwnas.cli import (
    boards,
    table_check,
    table_diff,
    table_fit,
    table_predict,
    table_resources,
    table_show,
    table_which,
)
from hwnas.cli.answer import answering


def app() -> typer.Typer:
    """All of them."""
    group = typer.Typer(
        help="Latency tables: list, show, compare, check, fit or export them, predict by them, measure a plan.",
        rich_markup_mode=None,
    )
    for verb in (
        table_show.ls,
        table_show.show,
        table_diff.diff,
        table_check.check,
        table_predict.predict,
        table_which.which,
        table_fit.fit,
        table_resources.resources,
        table_show.export,
        boards.measure,
    ):
        group.command()(answering(verb))
    group.command("import")(answering(boards.import_))
    return group
