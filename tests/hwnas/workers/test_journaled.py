import pytest

from hwnas.workers import InProcess, JobFailed, journaled
from latency_tables import Journal, JournalError


class Counting:
    """Squares, and remembers whom it squared."""

    def __init__(self):
        self.asked = []

    def __call__(self, job):
        if job < 0:
            raise ValueError("negative")
        self.asked.append(job)
        return {"square": job * job}


@pytest.fixture
def open_journal(tmp_path):
    return lambda: Journal(tmp_path / "jobs.jsonl", {"work": "squares"})


def test_results_come_in_the_order_of_the_jobs_and_duplicates_run_once(open_journal):
    work = Counting()
    with open_journal() as journal:
        results = journaled(InProcess(), work, [3, 1, 3, 2], journal)
    assert [r["square"] for r in results] == [9, 1, 9, 4]
    assert work.asked == [3, 1, 2]
    with open_journal() as journal:
        assert list(journal) == [{"key": str(n), "result": {"square": n * n}} for n in (3, 1, 2)]


def test_what_is_in_the_journal_is_not_run_again(open_journal):
    work = Counting()
    with open_journal() as journal:
        journaled(InProcess(), work, [1, 2], journal)
    with open_journal() as journal:
        results = journaled(InProcess(), work, [2, 5, 1], journal)
        assert len(list(journal)) == 3
    assert [r["square"] for r in results] == [4, 25, 1]
    assert work.asked == [1, 2, 5]


def test_what_was_done_before_a_failure_is_kept(open_journal):
    work = Counting()
    with open_journal() as journal, pytest.raises(JobFailed, match="the job -1 failed"):
        journaled(InProcess(), work, [1, 2, -1, 3], journal)
    with open_journal() as journal:
        journaled(InProcess(), work, [1, 2, 3], journal)
    assert work.asked == [1, 2, 3]


def test_a_key_of_ones_own_says_which_jobs_are_one(open_journal):
    work = Counting()
    with open_journal() as journal:
        results = journaled(InProcess(), work, [1, 11, 2], journal, key=lambda job: f"ends in {job % 10}")
        assert [record["key"] for record in journal] == ["ends in 1", "ends in 2"]
    assert [r["square"] for r in results] == [121, 121, 4]


def test_progress_counts_jobs_of_this_call_and_tells_the_best(open_journal):
    told = []
    with open_journal() as journal:
        journaled(InProcess(), Counting(), [1, 9], journal)
        journaled(
            InProcess(),
            Counting(),
            [1, 4, 1, 3],
            journal,
            score=lambda result: result["square"],
            progress=lambda *said: told.append(said),
        )
    assert told == [(1, 3, "best so far 1"), (2, 3, "best so far 16"), (3, 3, "best so far 16")]


def test_a_journal_of_other_work_is_refused(open_journal, tmp_path):
    with open_journal() as journal:
        journaled(InProcess(), Counting(), [1], journal)
    with pytest.raises(JournalError, match="journal of other work"):
        Journal(tmp_path / "jobs.jsonl", {"work": "cubes"})
