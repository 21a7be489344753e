"""The options of the verbs of a run: those settings that its stages use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.settings_help import HELP
from hwnas.run.settings import STAGE_OPTIONS, Settings

_DEFAULTS = asdict(Settings())


def _option(name: str) -> Any:
    """The typer annotation of one setting: several texts make a tuple; what is not given is None."""
    kind, default = get_type_hints(Settings)[name], _DEFAULTS[name]
    shown = "" if default is None or isinstance(default, tuple) else f" [default: {default}]"
    return Annotated[(list[str] if get_origin(kind) is tuple else kind) | None, typer.Option(help=HELP[name] + shown)]


def with_settings(verb: Callable[[dict[str, Any], Path | None, bool], Answer]) -> Callable[..., Answer]:
    """A function whose keywords are the verb's settings (None: not given), `out` and `resume`."""

    def command(**options: Any) -> Answer:
        out, resume = options.pop("out"), options.pop("resume")
        given = {n: tuple(v) if isinstance(v, list) else v for n, v in options.items() if v not in (None, [])}
        return verb(given, out, resume)

    kinds = {name: _option(name) for name in STAGE_OPTIONS[verb.__name__.replace("_", "-")]}
    kinds["out"] = Annotated[Path | None, typer.Option(help="run folder [default: runs/SPACE]")]
    kinds["resume"] = Annotated[bool, typer.Option("--resume", help="resume the run in --out")]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "resume" else None)
            for name in kinds
        ]
    )
    command.__annotations__ = kinds
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command
