"""The contract every `Workers` keeps; run it on your own: `check_workers(lambda: MyWorkers(...))`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.workers._base import JobFailed, Workers


def check_workers(make: Callable[[], Workers]) -> None:
    """Raise AssertionError unless the workers that `make()` gives keep the contract."""
    workers = make()
    with workers as entered:
        assert entered is workers, "entering must give the workers themselves"
        _check_results(workers)
        _check_failure(workers)
        _check_cancelled(workers)
    with workers:
        assert list(workers.run(_squared, [3])) == [(0, 9)], "workers that were left must run again once entered again"


def _check_results(workers: Workers) -> None:
    assert list(workers.run(_squared, [])) == [], "no jobs, no results"
    jobs = [4, 0, 2, 2, -1, 5, 7, 3]
    results = list(workers.run(_squared, jobs))
    assert sorted(i for i, _ in results) == list(range(len(jobs))), "every index must be yielded exactly once"
    assert all(result == jobs[i] ** 2 for i, result in results), "an index must come with its own job's result"
    table = _Table(np.arange(200_000.0))
    for asked in ([7, 100_000], [199_999]):  # twice, since what is sent once must be there the second time as well
        looked_up = dict(workers.run(table, asked))
        assert [looked_up[i] for i in range(len(asked))] == asked, "work must come with the data it holds"


def _check_failure(workers: Workers) -> None:
    yielded: list[int] = []
    try:
        yielded.extend(index for index, _ in workers.run(_root, [2, 3, -1, 4]))
    except JobFailed as e:
        message = str(e)
    else:
        raise AssertionError("a job that raises must end in JobFailed")
    assert "-1" in message, f"the message must name the job: {message}"
    assert "ValueError" in message, f"the message must say what was raised: {message}"
    assert "no root of a negative number" in message, f"the message must say why, in one line: {message}"
    assert set(yielded) <= {0, 1, 3}, "a job that failed has no result"
    assert len(yielded) == len(set(yielded)), "every index must be yielded at most once"
    assert dict(workers.run(_root, [9])) == {0: 3.0}, "after a failure the workers must go on with other jobs"


def _check_cancelled(workers: Workers) -> None:
    results = workers.run(_slowly, [0.0, 0.2, 0.2, 0.2])
    next(results)
    results.close()
    assert dict(workers.run(_slowly, [0.0])) == {0: 0.0}, "after jobs were cancelled the workers must go on"


@dataclass(frozen=True)
class _Table:
    values: NDArray[np.float64]

    def __call__(self, index: int) -> float:
        return float(self.values[index])


def _squared(number: int) -> int:
    return number**2


def _root(number: int) -> float:
    if number < 0:
        raise ValueError("no root\nof a negative number")
    return float(number**0.5)


def _slowly(seconds: float) -> float:
    time.sleep(seconds)
    return seconds
