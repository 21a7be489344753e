"""The command `hwnas`.

PASS is exit code 0, FAIL 1, what the user can fix 2, INCONCLUSIVE 3, a fault of ours 70, Ctrl-C 130.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from hwnas.cli import boards, handover, machine, table_fit, table_predict, table_show, timing, verbs
from hwnas.cli.answer import Answer, answering, print_answer, printable
from hwnas.cli.fleet import fleet
from hwnas.cli.options import with_settings
from latency_tables import HwnasError

_FIXABLE, _OURS, _STOPPED = 2, 70, 130  # 70: EX_SOFTWARE of sysexits.h
_WAS_STOPPED = "stopped; what was done is kept, and the same command goes on from there"
_EXTRAS = {
    **dict.fromkeys(("torch", "onnx", "onnxscript", "safetensors", "pymoo", "PIL", "matplotlib", "jinja2"), "search"),
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "pynvml": "nvidia",
    "ray": "ray",
}


def _show_version(asked: bool) -> None:
    if asked:
        from hwnas import __version__

        print(f"hwnas {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="print the version", is_eager=True, callback=_show_version)
    ] = False,
    # `main` takes it out wherever it stands; here it is for the help.
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error; goes with any verb")] = False,
) -> None:
    """Hardware-aware neural architecture search with measured latency tables."""


def build_app() -> typer.Typer:
    """All verbs."""
    of_run = *map(with_settings, verbs.VERBS), handover.export_verb(), handover.verify_verb()
    of_machine = machine.doctor, machine.spaces, machine.runtimes
    app = _group(*of_run, fleet, timing.time_, boards.kit, *of_machine)
    app.callback()(_options)
    on_tables = _group(
        table_show.ls,
        table_show.show,
        table_show.diff,
        table_predict.check,
        table_predict.predict,
        table_fit.which,
        table_fit.fit,
        boards.resources,
        table_show.export,
        boards.measure,
        boards.import_,
        help="Latency tables: list, show, compare, check, fit or export them, predict by them, measure a plan.",
    )
    app.add_typer(on_tables, name="table")
    return app


def _group(*verbs: Callable[..., Answer], **options: Any) -> typer.Typer:
    # rich would take the [default: ...] of the help texts for markup
    group = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, **options)
    for verb in verbs:
        group.command(verb.__name__.strip("_").replace("_", "-"))(answering(verb))
    return group


def _failure(error: BaseException) -> tuple[int, str]:
    """The exit code of an error and its message in one line."""
    match error:
        case typer.Abort() | KeyboardInterrupt():
            return _STOPPED, _WAS_STOPPED
        case typer.TyperException():
            context: typer.Context | None = getattr(error, "ctx", None)
            command = context.command_path if context else "hwnas"
            return _FIXABLE, f"{error.format_message().rstrip('.')} (see `{command} --help`)"
        case HwnasError():
            return _FIXABLE, str(error)
        case ModuleNotFoundError() if (package := (error.name or "").split(".")[0]) in _EXTRAS:
            return _FIXABLE, f"this needs {package}: pip install 'hwnas[{_EXTRAS[package]}]'"
        case OSError():
            return _FIXABLE, f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    hint = "run again with --debug for the traceback, and please report it"
    return _OURS, f"internal error: {type(error).__name__}: {error} ({hint})"


def _fail(code: int, message: str, as_json: bool) -> int:
    message = printable(" ".join(message.split()))
    print(f"hwnas: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": message, "code": code}))
    return code


def _shared(command: Callable[[], Any]) -> Any:
    """The command's answer; where torchrun started several processes, they share its trainings."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return command()
    from hwnas.training import share_trainings  # late: torch

    return share_trainings(command)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    asked = sys.argv[1:] if arguments is None else arguments
    as_json, debug = "--json" in asked, "--debug" in asked
    given = [word for word in asked if word != "--debug"]
    if given in ([], ["table"]):
        given = [*given, "--help"]
    try:
        answer = _shared(lambda: build_app()(given, prog_name="hwnas", standalone_mode=False))
        if answer == _STOPPED:  # typer makes Ctrl-C an exit with 130
            raise KeyboardInterrupt
        if not isinstance(answer, Answer):  # a help text, the version
            return int(answer or 0)
        print_answer(answer, as_json)
        return answer.code
    except (Exception, KeyboardInterrupt) as e:
        if debug:
            traceback.print_exc()
        return _fail(*_failure(e), as_json)


if __name__ == "__main__":
    sys.exit(main())
