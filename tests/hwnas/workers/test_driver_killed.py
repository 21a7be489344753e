"""kill -9 of the process that hands out the jobs; then the same call again, while a worker is killed as well."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from latency_tables.storage.journal import read_journal

pytest.importorskip("ray", reason="needs ray: pip install 'hwnas[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.measures]
PATIENCE_S = 60
JOBS = 12
DRIVER = f"""
import os, sys, time
from pathlib import Path
from hwnas.workers import journaled, make_workers
from latency_tables import Journal

folder = Path(sys.argv[1])

def work(job):
    (folder / "begun" / f"{{job}} {{os.getpid()}}").touch()
    time.sleep(0.3)
    return job * job

with make_workers("local:2") as workers, Journal(folder / "journal.jsonl", {{}}) as journal:
    print(journaled(workers, work, range({JOBS}), journal))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "driver.py").write_text(DRIVER)
    return tmp_path


def begun(folder):
    """(job, process) of every attempt so far."""
    return {(int(job), int(pid)) for job, pid in (path.name.split() for path in (folder / "begun").iterdir())}


def started(folder, attempts):
    """A driver that has begun so many attempts beyond those that there were."""
    before = len(begun(folder))
    command = [sys.executable, "-P", folder / "driver.py", folder]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + PATIENCE_S
    while len(begun(folder)) < before + attempts:
        assert driver.poll() is None, f"ended by itself: {driver.stderr.read()}"
        assert time.monotonic() < deadline, "never got there"
        time.sleep(0.01)
    return driver


def test_nothing_is_lost_and_nothing_is_there_twice(folder):
    driver = started(folder, attempts=5)
    cluster = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.communicate()
    workers = [process for process in cluster if process.pid in {pid for _, pid in begun(folder)}]
    assert not psutil.wait_procs(workers, timeout=PATIENCE_S)[1], "a worker goes on without its driver"
    for process in cluster:  # helpers of Ray's that look for their cluster for another minute
        if process.is_running():
            process.kill()
    before = read_journal(folder / "journal.jsonl")[1]
    assert 0 < len(before) < JOBS

    driver = started(folder, attempts=3)
    last = max((folder / "begun").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.kill(int(last.name.split()[1]), signal.SIGKILL)
    said, complaints = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, complaints
    assert (said, complaints) == (f"{[job * job for job in range(JOBS)]}\n", ""), "Ray must not talk in between"
    after = read_journal(folder / "journal.jsonl")[1]
    assert after[: len(before)] == before
    assert Counter(record["key"] for record in after) == Counter(map(str, range(JOBS)))
    assert len(begun(folder)) > JOBS  # some jobs did begin twice
