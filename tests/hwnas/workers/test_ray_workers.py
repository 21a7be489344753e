"""Workers of a real Ray cluster on this machine: two CPUs, and two nodes that pretend to be boards."""

import os
import signal
import time
from collections import Counter, defaultdict

import pytest

from hwnas.workers import JobFailed, RayWorkers, journaled
from hwnas.workers.contract import check_workers
from latency_tables import HwnasError, Journal

ray = pytest.importorskip("ray", reason="needs ray: pip install 'hwnas[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.measures]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    # A node that is gone is missed within two seconds in place of twenty.
    checks = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500, "health_check_failure_threshold": 3}
    arguments = {"num_cpus": 2, "include_dashboard": False, "_system_config": checks}
    cluster = Cluster(initialize_head=True, head_node_args=arguments)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def workers(cluster):
    with RayWorkers(cluster.address) as workers:
        yield workers
    assert not ray.is_initialized()


def test_a_cluster_of_its_own_keeps_the_contract_and_is_gone_afterwards():
    check_workers(lambda: RayWorkers(cpus=2))
    assert not ray.is_initialized()


def test_a_running_cluster_keeps_the_contract_and_goes_on(cluster):
    check_workers(lambda: RayWorkers(cluster.address))
    with RayWorkers(cluster.address) as workers:
        assert dict(workers.run(abs, [-3])) == {0: 3}


def test_a_connection_of_the_user_is_used_and_left_alone(cluster):
    ray.init(cluster.address, log_to_driver=False)
    try:
        with RayWorkers(cluster.address) as workers:
            assert dict(workers.run(abs, [-3])) == {0: 3}
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_jobs_run_side_by_side_in_other_processes(workers, tmp_path):
    def meet(name):
        """Ends when both jobs have begun."""
        (tmp_path / name).touch()
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        return os.getpid()

    pids = {pid for _, pid in workers.run(meet, ["left", "right"])}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_killed_workers_lose_nothing_and_nothing_is_there_twice(workers, tmp_path):
    def work(job):
        (tmp_path / f"{job} {os.getpid()}").touch()
        time.sleep(0.3)
        return 10 * job

    def kill_one_in_flight(done, total, what):
        if done not in (1, 4, 7):
            return
        deadline, finished = time.monotonic() + PATIENCE_S, {record["key"] for record in journal}
        while time.monotonic() < deadline:
            begun = [path.name.split() for path in tmp_path.glob("* *")]
            if alive := [int(pid) for job, pid in begun if job not in finished and int(pid) not in killed]:
                os.kill(alive[0], signal.SIGKILL)
                return killed.append(alive[0])
            time.sleep(0.01)

    killed = []
    with Journal(tmp_path / "journal.jsonl", {}) as journal:
        results = journaled(workers, work, range(10), journal, progress=kill_one_in_flight)
    assert results == [10 * job for job in range(10)]
    with Journal(tmp_path / "journal.jsonl", {}) as journal:
        assert Counter(record["key"] for record in journal) == Counter(map(str, range(10)))
    assert len(killed) == 3
    assert len(list(tmp_path.glob("* *"))) > 10  # some jobs did begin twice


def test_a_job_that_kills_its_worker_each_time_is_named(cluster):
    def work(job):
        if job == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    with (
        RayWorkers(cluster.address, retries=1) as workers,
        pytest.raises(JobFailed, match=r"^the job poison failed 2 times: its worker died \(WorkerCrashedError\)$"),
    ):
        list(workers.run(work, ["poison"]))


def test_a_job_that_raises_is_tried_again_and_may_then_succeed(workers, tmp_path):
    def work(job):
        tried = len(list(tmp_path.iterdir()))
        (tmp_path / str(tried)).touch()
        if tried < 3:
            raise OSError("disk full")
        return tried

    assert dict(workers.run(work, ["x"])) == {0: 3}
    for path in tmp_path.iterdir():
        path.unlink()
    hasty = RayWorkers(retries=0)  # uses the connection that is there
    with hasty, pytest.raises(JobFailed, match=r"^the job x failed: OSError: disk full$"):
        list(hasty.run(work, ["x"]))


def test_after_a_failure_no_job_is_begun_and_what_was_in_flight_is_yielded(cluster, tmp_path):
    def work(job):
        (tmp_path / str(job)).touch()
        if job == 0:
            raise ValueError("refused")
        time.sleep(0.5)
        return job

    yielded = []
    with RayWorkers(cluster.address, retries=0) as workers, pytest.raises(JobFailed, match="the job 0 failed"):
        yielded.extend(result for _, result in workers.run(work, range(50)))
    begun = {int(path.name) for path in tmp_path.iterdir()}
    assert set(yielded) == begun - {0}
    assert len(begun) < 10


def test_closing_the_iterator_cancels_what_is_in_flight(workers, tmp_path):
    def work(job):
        if job == "quick":
            return job
        (tmp_path / "begun").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.01)
        (tmp_path / "ended").touch()

    results = workers.run(work, ["slow", "quick"])
    assert next(results) == (1, "quick")
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    results.close()
    assert dict(workers.run(abs, [-1, -2, -3])) == {0: 1, 1: 2, 2: 3}
    (tmp_path / "go").touch()
    time.sleep(0.5)
    assert not (tmp_path / "ended").exists()


def test_an_error_of_whoever_listens_cancels_and_leaves_no_cluster(cluster, tmp_path):
    def work(job):
        while not (tmp_path / "go").exists():
            time.sleep(0.01)

    with pytest.raises(ZeroDivisionError) as caught, RayWorkers(cluster.address) as workers:  # noqa: PT012
        for _ in workers.run(lambda job: work(job) if job else None, range(4)):
            1 / 0  # noqa: B018
    assert not ray.is_initialized()
    del caught  # and with it the iterator
    assert not ray.is_initialized()


def test_each_board_gets_one_job_at_a_time_and_the_others_take_over_when_one_dies(cluster, tmp_path):
    boards = [cluster.add_node(num_cpus=0, resources={"board": 1}) for _ in range(2)]
    cluster.wait_for_nodes()

    def work(job):
        began = time.monotonic()
        time.sleep(0.3)
        return ray.get_runtime_context().get_node_id(), began, time.monotonic()

    visits = defaultdict(list)
    with RayWorkers(cluster.address, asks={"board": 1}) as workers:
        for done, (_, (node, *visit)) in enumerate(workers.run(work, range(8)), start=1):
            visits[node].append(visit)
            if done == 3:
                cluster.remove_node(boards[0], allow_graceful=False)
    assert set(visits) == {board.node_id for board in boards}
    assert sum(map(len, visits.values())) == 8
    for of_a_board in visits.values():
        for (_, ended), (began, _) in zip(sorted(of_a_board), sorted(of_a_board)[1:], strict=False):
            assert began >= ended
    cluster.remove_node(boards[1], allow_graceful=False)


def test_a_resource_that_no_node_has_is_refused_at_once(cluster):
    with (
        RayWorkers(cluster.address, asks={"CPU": 1, "jetson": 1}) as workers,
        pytest.raises(HwnasError, match=r"asks for .*'jetson': 1.* and the Ray cluster has only .*'CPU': 2"),
    ):
        list(workers.run(abs, [1]))


def test_no_cluster_at_an_address_is_one_line():
    with pytest.raises(HwnasError, match=r"^no Ray cluster at nowhere: ") as caught, RayWorkers("nowhere"):
        pass
    assert "\n" not in str(caught.value)
