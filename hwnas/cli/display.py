"""How a person watches: on a terminal one progress bar per stage, else one line per stage; on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from hwnas.cli.answer import printable
from latency_tables.progress import Progress


def say_loading() -> None:
    """A line before torch is imported, which takes seconds; none where it is missing, for then an error follows."""
    if "torch" not in sys.modules and find_spec("torch") is not None:
        print("loading hwnas ...", file=sys.stderr)


class ConsoleDisplay:
    """A bar per stage where there is a terminal; where there is none a line with its seconds when a stage is done.

    Stages with the same title that follow each other share a line, which comes when they are over: so use it as a
    context manager.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._title, self._times, self._seconds = "", 0, 0.0

    def say(self, text: str) -> None:
        """One line."""
        self._say_stages()
        self.console.print(printable(text), markup=False)

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """For the length of one stage; gives the callback that reports its steps."""
        title = printable(title)
        if self.console.is_terminal:
            with self._bar(title) as progress:
                yield progress
            return
        if title != self._title:
            self._say_stages()
        started = time.monotonic()
        yield lambda done, total, what: None
        self._title, self._times = title, self._times + 1
        self._seconds += time.monotonic() - started

    @contextmanager
    def _bar(self, title: str) -> Iterator[Progress]:
        what = TextColumn("[dim]{task.fields[what]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
        name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        with Bars(name, BarColumn(bar_width=16), _Numbers(), what, console=self.console, expand=True) as bars:
            task = bars.add_task(title, total=None, what="", counted=False)

            def report(done: int, total: int, what: str) -> None:
                bars.update(task, completed=done, total=total, what=escape(printable(what)), counted=True)

            yield report
            (shown,) = bars.tasks
            everything = shown.total or 1
            bars.update(task, completed=everything, total=everything, what="")

    def _say_stages(self) -> None:
        if self._times:
            repeated = f" ({self._times} times)" if self._times > 1 else ""
            seconds = f"{self._seconds:.1f}" if self._seconds < 60 else f"{self._seconds:.0f}"
            self.console.print(f"{self._title}{repeated}: {seconds} s", markup=False)
        self._title, self._times, self._seconds = "", 0, 0.0

    def __enter__(self) -> ConsoleDisplay:
        return self

    def __exit__(self, *exc: object) -> None:
        self._say_stages()


@contextmanager
def one_stage(title: str) -> Iterator[Progress]:
    """A display for work of one stage."""
    with ConsoleDisplay() as display, display.stage(title) as progress:
        yield progress


class _Numbers(ProgressColumn):
    """Steps done of all, time gone, time left; each where it is known. They are never cut: what is done is."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        counted = task.fields["counted"]
        steps = f"{task.completed:.0f}/{task.total:.0f} " if counted and task.total is not None else ""
        left = task.time_remaining if counted and not task.finished else None
        eta = "" if left is None else f" ETA {_clock(left)}"
        return Text(f"{steps}{_clock(task.finished_time if task.finished else task.elapsed)}{eta}")


def _clock(seconds: float | None) -> str:
    return str(timedelta(seconds=int(seconds or 0)))
