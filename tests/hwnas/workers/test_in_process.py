import pytest

from hwnas.workers import InProcess, JobFailed
from hwnas.workers.contract import check_workers


def test_it_keeps_the_contract():
    check_workers(InProcess)


def test_a_job_runs_when_its_result_is_asked_for():
    done = []
    results = InProcess().run(lambda job: done.append(job), ["a", "b", "c"])
    assert done == []
    assert next(results) == (0, None)
    assert done == ["a"]


def test_a_failure_names_the_job_keeps_the_cause_and_stops():
    def work(job):
        done.append(job)
        if job == "b":
            raise KeyError("missing")

    done = []
    with pytest.raises(JobFailed, match=r"^the job b failed: KeyError: 'missing'$") as caught:
        list(InProcess().run(work, ["a", "b", "c"]))
    assert isinstance(caught.value.__cause__, KeyError)
    assert done == ["a", "b"]
