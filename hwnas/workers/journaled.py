"""Jobs whose results are kept: done before, after kill -9 or in the same call, they are not done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hwnas.workers._base import Job, Workers
from latency_tables import Journal
from latency_tables.progress import Progress, silent


def journaled(
    workers: Workers,
    work: Callable[[Job], Any],
    jobs: Sequence[Job],
    journal: Journal,
    *,
    key: Callable[[Job], str] = str,
    score: Callable[[Any], float] | None = None,
    progress: Progress = silent,
) -> list[Any]:
    """The results of all jobs [n], in their order; each new one is in `journal`, fsynced, before the next is awaited.

    Jobs of one `key` are one job, and have one record `{"key", "result"}` however often they ran; results must be
    finite JSON. `progress` hears of every job done, and of the highest `score` of a result so far. Raises `JobFailed`
    as `Workers.run` does; what was done is kept, and the same call goes on from there.
    """
    keys = [key(job) for job in jobs]
    results = {record["key"]: record["result"] for record in journal}
    missing = {name: job for name, job in zip(keys, jobs, strict=True) if name not in results}
    names, wanted = list(missing), set(keys)

    def report() -> None:
        done = [results[name] for name in wanted if name in results]
        best = f"best so far {max(map(score, done)):.4g}" if score and done else ""
        progress(len(done), len(wanted), best)

    report()
    for index, result in workers.run(work, list(missing.values())):
        journal.append({"key": names[index], "result": result})
        results[names[index]] = result
        report()
    return [results[name] for name in keys]
