"""The options of the verbs of a run: those settings that its stages use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.settings_help import HELP

_WHICH_RUN = ("space", "data", "test_data", "limit", "mirror", "runtime", "threads", "precision", "seed")
_PROFILE = ("table", "calibration_networks", "heldout_networks")
_ACCURACY = ("supernet_epochs", "pairs")
_SEARCH = ("budget_ms", "strategy", "evaluations", "queries", "search_minutes", "finalists")
_UP_TO_SEARCH = (*_WHICH_RUN, *_PROFILE, *_ACCURACY, *_SEARCH)
_EVERYTHING = (*_UP_TO_SEARCH, "train_epochs", "workers")
STAGE_OPTIONS = {
    "run": _EVERYTHING,
    "profile": (*_WHICH_RUN, *_PROFILE),
    "train_supernet": (*_WHICH_RUN, *_ACCURACY),
    "search": _UP_TO_SEARCH,
    "train": (*_EVERYTHING, "arch"),
    "export": (*_EVERYTHING, "arch"),
    "verify": (*_EVERYTHING, "arch"),
    "report": _EVERYTHING,
}
"""Verb -> the settings that decide what it does; a network that is not given by --arch is searched for first."""


def with_settings(verb: Callable[[dict[str, Any], Path | None, bool], Answer]) -> Callable[..., Answer]:
    """A function whose keywords are the verb's settings (None: not given), `out` and `resume`."""

    def command(**options: Any) -> Answer:
        out, resume = options.pop("out"), options.pop("resume")
        return verb({name: value for name, value in options.items() if value is not None}, out, resume)

    kinds: dict[str, Any] = {
        name: Annotated[kind | None, typer.Option(help=text)]
        for name, (kind, text) in HELP.items()
        if name in STAGE_OPTIONS[verb.__name__]
    }
    kinds["out"] = Annotated[Path | None, typer.Option(help="run folder [default: runs/SPACE]")]
    kinds["resume"] = Annotated[bool, typer.Option("--resume", help="go on with the run in --out")]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "resume" else None)
            for name in kinds
        ]
    )
    command.__annotations__ = kinds
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command
