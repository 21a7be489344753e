"""Jobs here, one after another."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from hwnas.workers._base import Job, JobFailed, Result, Workers


class InProcess(Workers):
    """Runs each job when its result is asked for. What raises here would raise again, so it is not tried twice."""

    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[tuple[int, Result]]:
        """In the order of the jobs."""
        for index, job in enumerate(jobs):
            try:
                result = work(job)
            except Exception as e:  # whatever a job may raise
                raise JobFailed(job, f"{type(e).__name__}: {e}") from e
            yield index, result

    def __exit__(self, *exc: object) -> None:
        """Nothing to release."""
