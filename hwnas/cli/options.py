"""A verb of a run on the command line: its options are those settings that its stages use."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

import typer

from hwnas.cli.answer import Answer
from hwnas.cli.display import ConsoleDisplay, say_loading
from hwnas.run.settings import HELP, ONE_COMMAND, STAGE_OPTIONS, Settings

if TYPE_CHECKING:
    from hwnas.run import Run

Verb = Callable[["Run"], Answer]


def with_settings(verb: Verb) -> Callable[..., Answer]:
    """A function whose keywords are the verb's settings (None: not given), `out` and `resume`."""
    name = verb.__name__.replace("_", "-")

    def command(out: Path | None, resume: bool, results: Path | None = None, **options: Any) -> Answer:
        given = {n: tuple(v) if isinstance(v, list) else v for n, v in options.items() if v not in (None, [])}
        return _answer(verb, name, given, out, resume, results)

    kinds = {setting: _option(setting) for setting in STAGE_OPTIONS[name]}
    kinds["out"] = Annotated[Path | None, typer.Option(help="run folder [default: runs/SPACE]")]
    kinds["resume"] = Annotated[bool, typer.Option("--resume", help="resume the run in --out")]
    if name == "verify":
        kinds["results"] = Annotated[
            Path | None, typer.Option("--import", help="what the kit of this run left on another device")
        ]
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False if option == "resume" else None)
            for option in kinds
        ]
    )
    command.__annotations__ = kinds
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command


def _option(name: str) -> Any:
    """The typer annotation of one setting: several texts make a tuple; what is not given is None."""
    kind, default = get_type_hints(Settings)[name], getattr(Settings, name)
    shown = "" if default is None or isinstance(default, tuple) else f" [default: {default}]"
    return Annotated[(list[str] if get_origin(kind) is tuple else kind) | None, typer.Option(help=HELP[name] + shown)]


def _answer(
    verb: Verb, name: str, given: dict[str, Any], out: Path | None, resume: bool, results: Path | None
) -> Answer:
    """Check what is asked for, open the run's folder, and do it there."""
    say_loading()
    from hwnas.run.check import check_run
    from hwnas.run.folder import RunFolder

    fresh = name == "run"
    path = out or Path("runs") / str(given.get("space", Settings.space)).rpartition(":")[2]
    stored = (path / "run.json").exists()
    before = asdict(RunFolder.settings_of(path)) if resume or (stored and not fresh) else {}
    if not resume:
        for setting in ONE_COMMAND:
            before.pop(setting, None)
    settings = Settings(**{**before, **given}).absolute()
    check_run(settings, path, name)
    from hwnas.run import Run  # late: what is refused needs no second of imports
    from hwnas.run.refused import OpsRefused

    with ConsoleDisplay() as display:
        while True:
            try:
                with Run(settings, path, display) as run:
                    if fresh:
                        run.folder.store()
                    run.ask_device(name)
                    if results is not None:
                        run.take_results(results)
                    return verb(run)
            except OpsRefused as e:  # the run is of fewer networks now
                display.say(str(e))
