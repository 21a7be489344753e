"""What is lost, and what is there twice, when workers and the process that hands out jobs are killed (SIGKILL).

Run as a program it is that process: `python -m benchmarks._ray_kill FOLDER JOBS`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from hwnas.workers import RayWorkers, journaled
from latency_tables import Journal
from latency_tables.storage.journal import read_journal

_WORKERS = 2
_KILLED_WORKERS = 3  # in each of the two lives of the driver
_JOB_S = 0.3
_PATIENCE_S = 120.0


def killed_workers(jobs: int) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Run `jobs` jobs (at least 20) on a local cluster with two workers, killing six workers and once the driver.

    Figures count records of the journal against the jobs: `ray_lost` have none or a wrong result, `ray_twice` are
    records too many. A job that was begun twice and journaled once counts as neither.
    """
    if jobs < 20:
        raise ValueError(f"with {jobs} jobs there is nothing left to kill; take at least 20")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        first = _life(folder, jobs, killed_at=jobs // 2)
        second = _life(folder, jobs, killed_at=None)
        records = read_journal(_journal(folder))[1]
        attempts = len(_begun(folder))
    kept = Counter(record["key"] for record in records)
    right = {record["key"] for record in records if record["result"] == _answer(int(record["key"]))}
    figures = {
        "ray_jobs": float(jobs),
        "ray_kills": float(first + second + 1),
        "ray_lost": float(len(set(map(str, range(jobs))) - right)),
        "ray_twice": float(sum(kept.values()) - len(kept)),
    }
    return figures, {"workers": _WORKERS, "killed_workers": first + second, "killed_drivers": 1, "begun": attempts}


def _life(folder: Path, jobs: int, killed_at: int | None) -> int:
    """Run the driver, killing workers while it lives, and itself once so many jobs are done; how many workers died."""
    before = _done(folder)
    kill_after = [before + n for n in range(1, 3 * _KILLED_WORKERS, 3)]
    command = [sys.executable, "-m", "benchmarks._ray_kill", str(folder), str(jobs)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).resolve().parents[1])
    killed: set[int] = set()
    deadline = time.monotonic() + _PATIENCE_S
    while driver.poll() is None and time.monotonic() < deadline:
        done = _done(folder)
        if len(killed) < len(kill_after) and done >= kill_after[len(killed)]:
            killed |= _kill_one(folder, driver.pid, killed)
        if killed_at is not None and done >= killed_at and len(killed) == len(kill_after):
            _kill_with_cluster(driver)
            return len(killed)
        time.sleep(0.01)
    if driver.poll() is None:
        _kill_with_cluster(driver)
    if killed_at is not None or driver.returncode != 0:
        raise RuntimeError(f"the driver ended with {driver.returncode} after {_done(folder)} of {jobs} jobs")
    return len(killed)


def _kill_one(folder: Path, driver: int, killed: set[int]) -> set[int]:
    """Kill the worker that began a job last, if it is still there."""
    cluster = {process.pid: process for process in psutil.Process(driver).children(recursive=True)}
    for attempt in reversed(_begun(folder)):
        if attempt.pid in cluster and attempt.pid not in killed:
            cluster[attempt.pid].kill()
            return {attempt.pid}
    return set()


def _kill_with_cluster(driver: subprocess.Popen[bytes]) -> None:
    """Kill the driver; Ray's workers end by themselves, its helpers look for their cluster for a minute: end them."""
    cluster = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.wait()
    for process in psutil.wait_procs(cluster, timeout=5)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@dataclass(frozen=True, order=True)
class _Attempt:
    when_ns: int
    job: int
    pid: int


def _begun(folder: Path) -> list[_Attempt]:
    """Every time that a job was begun, in order."""
    return sorted(_Attempt(*map(int, path.name.split("-"))) for path in (folder / "begun").glob("*-*-*"))


def _done(folder: Path) -> int:
    """Whole lines of the journal without its header."""
    return max(0, _journal(folder).read_bytes().count(b"\n") - 1) if _journal(folder).exists() else 0


def _journal(folder: Path) -> Path:
    return folder / "journal.jsonl"


def _answer(job: int) -> str:
    return hashlib.sha256(str(job).encode()).hexdigest()


@dataclass(frozen=True)
class _Work:
    """Says that it has begun, takes its time, and answers."""

    folder: Path

    def __call__(self, job: int) -> str:
        (self.folder / "begun" / f"{time.time_ns()}-{job}-{os.getpid()}").touch()
        time.sleep(_JOB_S)
        return _answer(job)


def _drive(folder: Path, jobs: int) -> None:
    (folder / "begun").mkdir(exist_ok=True)
    with RayWorkers(cpus=_WORKERS) as workers, Journal(_journal(folder), {"jobs": jobs}) as journal:
        journaled(workers, _Work(folder), range(jobs), journal)


if __name__ == "__main__":
    _drive(Path(sys.argv[1]), int(sys.argv[2]))
