"""How a verb answers: it returns an `Answer`; standard output gets that and nothing else."""

from __future__ import annotations

import ctypes
import functools
import inspect
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from latency_tables.storage.files import plain_json


@dataclass(frozen=True)
class Answer:
    """What a verb says: a JSON object for machines, a text or rich renderable for people, and the exit code."""

    record: Mapping[str, Any]
    text: RenderableType
    code: int = 0


def answering(verb: Callable[..., Answer]) -> Callable[..., Answer]:
    """The verb as a typer command: with `--json`, and with standard output kept for its answer.

    The verb does not see `--json`: `main` reads it, since a failure is a JSON object too.
    """

    @functools.wraps(verb)
    def command(as_json: bool = False, **options: Any) -> Answer:
        with _stdout_to_stderr():
            try:
                return verb(**options)
            except SystemExit as e:  # a file of the user's: leaving with 0 would read as PASS
                raise RuntimeError(f"something called sys.exit({e.code!r})") from e

    kinds = get_type_hints(verb, include_extras=True)
    parameters = [p.replace(annotation=kinds[p.name]) for p in inspect.signature(verb).parameters.values()]
    as_json = Annotated[bool, typer.Option("--json", help="print exactly one JSON object")]
    parameters.append(inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=as_json))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Whatever is printed meanwhile, by C libraries and child processes too, goes to standard error."""
    _flush()
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _flush()
        os.dup2(answers, 1)
        os.close(answers)


def _flush() -> None:
    """Write out what waits in the buffers of Python and of C libraries."""
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(AttributeError, ValueError):  # None or closed
            stream.flush()  # type: ignore[union-attr]
    ctypes.CDLL(None).fflush(None)


def print_answer(answer: Answer, as_json: bool) -> None:
    """One JSON object, or the text for people, on standard output."""
    if as_json:
        print(json.dumps(plain_json(answer.record), allow_nan=False), flush=True)
    elif isinstance(answer.text, str):
        print(printable(answer.text), flush=True)
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=10_000)  # no line is broken where nobody looks
        console.print(_Printable(answer.text), crop=False)


def line(text: str) -> Text:
    """A line for a rich group that is as long as it likes, without markup."""
    return Text(text, no_wrap=True, overflow="ignore")


def printable(text: str) -> str:
    """The text without control characters but tab and newline: names in files must not steer a terminal."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


@dataclass(frozen=True)
class _Printable:
    """A rich renderable, every piece of text in it `printable`."""

    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self.inner, options):
            yield Segment(printable(segment.text), segment.style, segment.control)


def columns(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells as aligned columns of text, two spaces apart; the last one is as long as it likes."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
