"""What a network scored is written down once, and answered from there."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator, Journaled
from hwnas.accuracy.contract import check_estimator
from hwnas.search import Problem, make_strategy, search
from hwnas.spaces import NasBenchMacro
from hwnas.workers import InProcess, JobFailed
from latency_tables import Journal

MACRO = NasBenchMacro()
ARCHS = np.array([[1] * 8, [2] * 8, [1] * 8, [0] * 8])


class Sizes(AccuracyEstimator):
    """The share of large layers; notes the populations it is asked about."""

    def __init__(self):
        self.asked = []

    def estimate(self, population):
        if (population == 2).sum() == 8 * len(population):
            raise ValueError("too large")
        self.asked.append([MACRO.to_text(arch) for arch in population])
        mean = population.sum(axis=1) / 16
        return AccuracyEstimate(mean, mean / 10)


@pytest.fixture
def open_journal(tmp_path):
    return lambda: Journal(tmp_path / "accuracy.jsonl", {"of": "sizes"})


def test_it_keeps_the_contract(open_journal):
    with open_journal() as journal:
        check_estimator(Journaled(MACRO, Sizes(), journal), MACRO)


def test_without_workers_what_is_missing_is_asked_at_once(open_journal):
    sizes = Sizes()
    with open_journal() as journal:
        Journaled(MACRO, sizes, journal).estimate(ARCHS[3:])
        found = Journaled(MACRO, sizes, journal).estimate(ARCHS)
        assert list(journal)[1:] == [
            {"arch": "11111111", "accuracy": 0.5, "std": 0.05},
            {"arch": "22222222", "accuracy": 1.0, "std": 0.1},
        ]
    assert sizes.asked == [["00000000"], ["11111111", "22222222"]]
    assert found.mean.tolist() == [0.5, 1.0, 0.5, 0.0]
    assert found.std.tolist() == [0.05, 0.1, 0.05, 0.0]


def test_without_workers_answers_are_kept_one_by_one(open_journal):
    class Stopped(Sizes):
        def each(self, population):
            yield from list(super().each(population))[1:2]
            raise KeyboardInterrupt

    with open_journal() as journal, pytest.raises(KeyboardInterrupt):
        Journaled(MACRO, Stopped(), journal).estimate(ARCHS[[0, 3]])
    with open_journal() as journal:
        assert list(journal) == [{"arch": "00000000", "accuracy": 0.0, "std": 0.0}]


def test_with_workers_each_network_is_a_job_and_those_before_a_failure_are_kept(open_journal):
    sizes = Sizes()
    with open_journal() as journal, pytest.raises(JobFailed, match="the job 22222222 failed: ValueError: too large"):
        Journaled(MACRO, sizes, journal, InProcess()).estimate(ARCHS)
    with open_journal() as journal:
        again = Journaled(MACRO, sizes, journal, InProcess())
        assert again.known(ARCHS).tolist() == [[1] * 8, [1] * 8]
        again.estimate(ARCHS[[0, 3]])
    assert sizes.asked == [["11111111"], ["00000000"]]


def test_progress_hears_of_every_network_and_of_the_best(open_journal):
    said = []
    with open_journal() as journal:
        accuracy = Journaled(MACRO, Sizes(), journal, InProcess(), lambda *a: said.append(a))
        accuracy.estimate(ARCHS[[3, 0, 3]])
    assert said == [(0, 2, ""), (1, 2, "best so far 0.0000"), (2, 2, "best so far 0.5000")]


def test_records_of_before_are_read_as_they_were_meant(open_journal):
    """Those of a run had no deviation, those of a search also milliseconds."""
    with open_journal() as journal:
        journal.append({"arch": "11111111", "accuracy": 0.25})
        journal.append({"arch": "00000000", "accuracy": 0.75, "std": 0.5, "ms": "nan", "upper_ms": "nan"})
    with open_journal() as journal:
        found = Journaled(MACRO, Sizes(), journal).estimate(ARCHS[[0, 3]])
    assert (found.mean.tolist(), found.std.tolist()) == ([0.25, 0.75], [0.0, 0.5])


def test_what_is_not_a_number_is_kept_as_such(open_journal):
    class Diverged(AccuracyEstimator):
        def estimate(self, population):
            return AccuracyEstimate(np.full(len(population), np.nan), np.zeros(len(population)))

    with open_journal() as journal:
        Journaled(MACRO, Diverged(), journal).estimate(ARCHS[:1])
    with open_journal() as journal:
        assert np.isnan(Journaled(MACRO, Sizes(), journal).estimate(ARCHS[:1]).mean[0])


def test_a_journaled_search_hands_a_whole_suggestion_to_workers(open_journal):
    sent = []

    class Noting(InProcess):
        def run(self, work, jobs):
            sent.append(len(jobs))
            return super().run(work, jobs)

    with open_journal() as journal:
        problem = Problem(MACRO, Journaled(MACRO, Sizes(), journal, Noting()))
        found = search(problem, make_strategy("random", problem, batch=20), 40)
        assert len(journal.records) == 40
    assert sent == [20, 20]
    plain = Problem(MACRO, Sizes())
    other = search(plain, make_strategy("random", plain, batch=20), 40)
    assert np.array_equal(found.population, other.population)
    assert np.array_equal(found.accuracy, other.accuracy)


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator, Journaled
from hwnas.spaces import NasBenchMacro
from hwnas.workers import InProcess
from latency_tables import Journal

space, asked = NasBenchMacro(), []

class Sum(AccuracyEstimator):
    def estimate(self, population):
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        asked.append(1)
        return AccuracyEstimate(np.sin(population @ np.arange(8)), np.zeros(len(population)))

with Journal(Path(sys.argv[1]), {}) as journal:
    Journaled(space, Sum(), journal, InProcess()).estimate(space.sample(np.random.default_rng(0), 9))
"""


def test_after_kill_9_every_answer_that_was_given_is_there(tmp_path):
    path = tmp_path / "accuracy.jsonl"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    archs = MACRO.sample(np.random.default_rng(0), 9)
    with Journal(path, {}) as journal:
        assert [record["arch"] for record in journal] == [MACRO.to_text(arch) for arch in archs[:3]]
        assert [record["accuracy"] for record in journal] == np.sin(archs[:3] @ np.arange(8)).tolist()
