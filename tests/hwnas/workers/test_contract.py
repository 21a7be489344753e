"""The contract finds workers out that break it."""

import pytest

from hwnas.workers import InProcess
from hwnas.workers.contract import check_workers


class Lossy(InProcess):
    def run(self, work, jobs):
        yield from list(super().run(work, jobs))[1:]


class Twice(InProcess):
    def run(self, work, jobs):
        for result in super().run(work, jobs):
            yield from (result, result)


class Shifted(InProcess):
    def run(self, work, jobs):
        for index, result in super().run(work, jobs):
            yield (index + 1) % len(jobs), result


class Hiding(InProcess):
    def run(self, work, jobs):
        for index, job in enumerate(jobs):
            try:
                yield index, work(job)
            except ValueError:
                yield index, None


class Raw(InProcess):
    def run(self, work, jobs):
        for index, job in enumerate(jobs):
            yield index, work(job)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (Lossy, "exactly once"),
        (Twice, "exactly once"),
        (Shifted, "its own job's result"),
        (Hiding, "must end in JobFailed"),
    ],
)
def test_workers_that_break_it_are_told_how(make, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_workers(make)


def test_another_exception_than_job_failed_is_not_caught():
    with pytest.raises(ValueError, match="no root"):
        check_workers(Raw)
