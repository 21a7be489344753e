"""What every sort of workers does: independent jobs, as many at a time as there is room for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import Self, TypeVar

from latency_tables import HwnasError

Job = TypeVar("Job")
Result = TypeVar("Result")


class JobFailed(HwnasError):
    """A job that raised, or whose workers died, as often as it was tried. The message names the job and says why."""

    def __init__(self, job: object, why: str, attempts: int = 1):
        tried = f" {attempts} times" if attempts > 1 else ""
        super().__init__(f"the job {_line(job)} failed{tried}: {_line(why)}")


def _line(value: object) -> str:
    """As one line that is not too long."""
    return " ".join(str(value).split())[:300]


class Workers(ABC):
    """Runs independent jobs. A context manager, which may be entered again after it was left; jobs run inside it."""

    @abstractmethod
    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[tuple[int, Result]]:
        """Yield (index, `work(jobs[index])`) as each job ends: every index once, in any order.

        `work` and the jobs may be sent elsewhere, so they must pickle: `work`, and the data it holds, goes once, a job
        goes each time; its `str` is its name in messages. A job may run twice, where a worker has died: it must not
        mind. Raises `JobFailed` when a job cannot be done; none is begun any more then, and those that had begun are
        yielded first. Closing the generator cancels them.
        """

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *exc: object) -> None:
        """Let go of what entering took."""
