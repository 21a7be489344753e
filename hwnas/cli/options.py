"""The options that every verb of a run shares, made from the fields of `Settings`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.settings_help import HELP

Command = Callable[..., None]


def with_settings(verb: Callable[[dict[str, Any], Path | None, bool, bool], int]) -> Command:
    """A typer command whose options are the settings (None: not given), `--out`, `--resume` and `--json`."""

    def command(**options: Any) -> None:
        out, resume, as_json = (options.pop(name) for name in ("out", "resume", "as_json"))
        given = {name: value for name, value in options.items() if value is not None}
        raise typer.Exit(verb(given, out, resume, as_json))

    parameters = {name: Annotated[kind | None, typer.Option(help=text)] for name, (kind, text) in HELP.items()}
    parameters["out"] = Annotated[Path | None, typer.Option(help="run folder [default: runs/SPACE]")]
    defaults: dict[str, Any] = dict.fromkeys(parameters)
    parameters["resume"] = Annotated[bool, typer.Option("--resume", help="go on with the run in --out")]
    parameters["as_json"] = Annotated[bool, typer.Option("--json", help="print one JSON object")]
    defaults |= {"resume": False, "as_json": False}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=kind)
            for name, kind in parameters.items()
        ]
    )
    command.__annotations__ = dict(parameters)
    command.__doc__ = verb.__doc__
    return command
