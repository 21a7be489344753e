"""Workers by `ray://host:port`, against a head node that runs by itself and asks for a token made for it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import psutil
import pytest

from hwnas.workers import RayWorkers
from hwnas.workers.ray_workers import _no_word_of_closed_channels
from latency_tables import HwnasError

pytest.importorskip("ray", reason="needs ray: pip install 'hwnas[ray]'")
pytest.importorskip("grpc", reason="needs grpcio: pip install 'hwnas[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.measures]
PATIENCE_S = 60
# Else a head node now and then hangs as it forks a server for a client: github.com/ray-project/ray/issues/63202
NO_FORK_HANDLERS = {"GRPC_ENABLE_FORK_SUPPORT": "0"}
CONTRACT = """
import sys
from hwnas.workers import make_workers
from hwnas.workers.contract import check_workers

check_workers(lambda: make_workers(sys.argv[1]))
"""
SQUARES = """
import os, sys, time
from pathlib import Path
from hwnas.workers import make_workers
from latency_tables import HwnasError

begun = Path(sys.argv[2])

def work(job):
    (begun / f"{job} {os.getpid()}").touch()
    print("a worker talks")
    time.sleep(0.3)
    return job * job

try:
    with make_workers(sys.argv[1]) as workers:
        print(sorted(workers.run(work, range(8))))
except HwnasError as e:
    sys.exit(str(e))
"""


@dataclass(frozen=True)
class Head:
    pid: int
    address: str
    environment: dict[str, str]

    def driver(self, script, *arguments, **environment):
        """A process that joins the cluster; in one of its own, since Ray reads its environment once a process."""
        return subprocess.Popen(
            [sys.executable, "-P", "-c", script, self.address, *arguments],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def head_node():
    port, client_port = free_ports(2)
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    # Not pytest's folder: the paths of Ray's sockets must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"),
            *(f"--port={port}", f"--ray-client-server-port={client_port}"),
            *("--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={folder}"),
            *("--include-dashboard=false", "--disable-usage-stats"),
        ]
        with open(f"{folder}/log", "w+") as log:
            head = subprocess.Popen(
                command, env=environment | NO_FORK_HANDLERS, stdout=log, stderr=log, start_new_session=True
            )
            try:
                wait_until(lambda: head.poll() is not None or listens(client_port))
                assert head.poll() is None, (log.seek(0), log.read())
                yield Head(head.pid, f"ray://127.0.0.1:{client_port}", environment)
            finally:
                kill_session(head.pid)
                head.wait()


def kill_session(leader):
    """All that the head node has started, in whatever process group it is."""

    def alive():
        for process in psutil.process_iter(["status"]):
            with suppress(ProcessLookupError):
                if os.getsid(process.pid) == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                    yield process

    for process in alive():
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not list(alive()))


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def listens(port):
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def wait_until(done):
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "never got there"
        time.sleep(0.02)


def wait_until_it_works(driver, begun):
    wait_until(lambda: len(list(begun.iterdir())) >= 3 or driver.poll() is not None)
    assert driver.poll() is None, f"ended by itself: {driver.stderr.read()}"


@pytest.fixture(scope="module")
def head():
    with head_node() as head:
        yield head


def test_a_cluster_that_dies_is_one_line(tmp_path):
    with head_node() as mortal:  # first in this file: one cluster at a time on a small machine
        driver = mortal.driver(SQUARES, tmp_path, RAY_CLIENT_RECONNECT_GRACE_PERIOD="1")
        wait_until_it_works(driver, tmp_path)
        kill_session(mortal.pid)
        _, complaint = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 1
    assert f"\nthe Ray cluster at {mortal.address} is gone: " in f"\n{complaint}"
    assert "Traceback" not in complaint


def test_a_channel_closed_under_the_thread_that_watches_it_is_not_told(monkeypatch):
    from grpc import insecure_channel
    from grpc._cython.cygrpc import StatusCode

    told = []
    monkeypatch.setattr(threading, "excepthook", lambda unhandled: told.append(str(unhandled.exc_value)))

    def close_a_watched_channel():
        channel = insecure_channel("127.0.0.1:1")
        channel.subscribe(lambda state: None)
        channel._channel.close(StatusCode.cancelled, "closed too early")  # the race of `channel.close()`, won

    with _no_word_of_closed_channels():
        close_a_watched_channel()
        other = threading.Thread(target=int, args=["not a number"])
        other.start()
        other.join()
    assert len(told) == 1
    assert "not a number" in told[0]

    close_a_watched_channel()
    wait_until(lambda: len(told) == 2)
    assert "closed too early" in told[1]


def test_the_contract_is_kept_and_ray_does_not_talk_in_between(head):
    driver = head.driver(CONTRACT)
    assert driver.communicate(timeout=PATIENCE_S) == ("", "")
    assert driver.returncode == 0


def test_a_killed_worker_loses_nothing(head, tmp_path):
    driver = head.driver(SQUARES, tmp_path)
    wait_until_it_works(driver, tmp_path)
    last = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    os.kill(int(last.name.split()[1]), signal.SIGKILL)
    said = driver.communicate(timeout=PATIENCE_S)
    assert said == (f"{[(job, job * job) for job in range(8)]}\n", "")
    assert len(list(tmp_path.iterdir())) > 8  # a job did begin twice


def test_a_token_that_is_missing_is_one_line_that_says_how_to_give_it(head, tmp_path):
    hasty = {"RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "1", "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "1"}
    driver = head.driver(SQUARES, tmp_path, RAY_AUTH_MODE="disabled", **hasty)
    said, complaint = driver.communicate(timeout=PATIENCE_S)
    assert (driver.returncode, said) == (1, "")
    assert complaint == (
        f"no Ray cluster at {head.address}: ray client connection timeout; "
        "set RAY_AUTH_MODE=token if it asks for Ray's token\n"
    )


@pytest.mark.parametrize("scheme", ["ray://", ""])
def test_where_nobody_listens_is_one_line_at_once(scheme):
    address = f"{scheme}127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(HwnasError, match=rf"^no Ray cluster at {address}: \[Errno \d+\] Connection refused$"):
        RayWorkers(address).__enter__()
