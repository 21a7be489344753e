"""How a person watches: one progress bar with an ETA a stage, on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from latency_tables.progress import Progress


def answer_console() -> Console:
    """Standard output, as wide as the terminal; no line is broken where nobody looks."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


@contextmanager
def solver_silent() -> Iterator[None]:
    """HiGHS now and then prints a line of its own past Python: standard output is for the answer alone."""
    sys.stdout.flush()
    answers, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(answers, 1)
        os.close(answers)
        os.close(nowhere)


class ConsoleDisplay:
    """Progress bars where there is a terminal, a line a stage where there is none."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, markup=False)

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """A bar for the length of one stage."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[what]}"),
        )
        if not self.console.is_terminal:
            self.say(f"{title} ...")
        with Bars(*columns, console=self.console, disable=not self.console.is_terminal) as bars:
            task = bars.add_task(title, total=None, what="")

            def report(done: int, total: int, what: str) -> None:
                bars.update(task, completed=done, total=total, what=what[:48])

            yield report
