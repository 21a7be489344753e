"""Jobs on a Ray cluster: one that is started on this machine for them, or one that is already there.

Ray finds room for a job, moves `work` to it once a node, and tries it again elsewhere when its process or node dies.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from weakref import WeakSet

from hwnas.workers._base import Job, JobFailed, Result, Workers, _line
from latency_tables import HwnasError

LOCAL = "local"
_AHEAD = 2  # jobs beyond the room there is, so that no worker waits for its next one
_CONNECT_S = 10.0
_WATCHED_S = 0.5  # gRPC looks at a channel every .2 seconds
_LOOK_AGAIN_S = 60.0  # whether there still is a node that can do the jobs
_QUIET = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else every retry is told on standard output, where our answers go
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "5",  # of each of three attempts
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the way of future versions, without a warning
}
# Several processes share the cores: threads that spin while they wait would cost ten times the work.
_WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}


class RayWorkers(Workers):
    """Runs jobs on Ray. Use as a context manager: it starts or joins the cluster, and stops or leaves it at the end.

    `address` is "local", which starts a cluster of `cpus` (None: this machine's) for the time being, or that of a
    running one: "auto", "host:6379", "ray://host:10001". Where this process is already connected, that connection is
    used and left as it is. `asks` is what a job takes of a node (default one CPU): nodes of a fleet of boards that
    were started with `ray start --resources='{"jetson": 1}'` get one job each at a time by `asks={"jetson": 1}`.
    A job that fails is tried `retries` times more. Raises `HwnasError` where Ray is not installed, on entering when no
    cluster answers, and while jobs run once that of a `ray://` address is gone.
    """

    def __init__(
        self,
        address: str = LOCAL,
        *,
        cpus: int | None = None,
        asks: Mapping[str, float] | None = None,
        retries: int = 3,
    ):
        self._ray = _import_ray()
        self._address, self._cpus, self._retries = address, cpus, retries
        self._asks = dict(asks or {"CPU": 1})
        self._connected = False
        self._leaving = ExitStack()
        self._sent: tuple[object, Any] | None = None
        self._runs: WeakSet[Generator[tuple[int, Any]]] = WeakSet()

    def __enter__(self) -> Self:
        self._connected = not self._ray.is_initialized()
        if self._connected:
            if self._address.startswith("ray://"):
                self._leaving.enter_context(_no_word_of_closed_channels())
            start = {"num_cpus": self._cpus, "include_dashboard": False} if self._address == LOCAL else {}
            try:
                with _environment(_QUIET), warnings.catch_warnings(action="ignore"):
                    _check_somebody_listens(self._address)
                    self._ray.init(self._address, log_to_driver=False, logging_level=logging.CRITICAL, **start)
            except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as e:
                self._leaving.close()
                why = " ".join(str(e).split())
                if "client connection timeout" in why:  # what Ray Client also says to a token that is missing
                    why += "; set RAY_AUTH_MODE=token if it asks for Ray's token"
                raise HwnasError(f"no Ray cluster at {self._address}: {why}") from e
        return self

    def __exit__(self, *exc: object) -> None:
        for run in list(self._runs):  # whoever stopped listening may still hold it; Ray must be there when it closes
            run.close()
        self._sent = None
        with self._leaving:
            if self._connected:
                self._ray.shutdown()

    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[tuple[int, Result]]:
        """As they end. `work` is sent again only when it is another object than the last time."""
        run = self._run(work, jobs)
        self._runs.add(run)
        return run

    def _run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[tuple[int, Result]]:
        ray = self._ray
        call = ray.remote(_call).options(**self._options())
        waiting = list(range(len(jobs)))[::-1]
        in_flight: dict[Any, int] = {}
        failure: JobFailed | None = None
        try:
            sent = self._send(work)
            while in_flight or (waiting and failure is None):
                room = self._room()  # asked again and again: nodes come and go
                while waiting and failure is None and len(in_flight) < room + _AHEAD:
                    index = waiting.pop()
                    in_flight[call.remote(sent, jobs[index])] = index
                for ended in ray.wait(list(in_flight), timeout=_LOOK_AGAIN_S)[0]:
                    index = in_flight.pop(ended)
                    try:
                        result = ray.get(ended)
                    except ray.exceptions.RayError as e:
                        failure = failure or self._failure(jobs[index], e)
                    else:
                        yield index, result
        except _connection_errors() as e:
            in_flight.clear()  # there is no one to cancel them
            raise HwnasError(f"the Ray cluster at {self._address} is gone: {_line(e)}") from e
        finally:
            for reference in in_flight:
                ray.cancel(reference, force=True)
        if failure is not None:
            raise failure

    def _send(self, work: object) -> Any:
        """A reference to `work` in the cluster's object store."""
        if self._sent is None or self._sent[0] is not work:
            self._sent = work, self._ray.put(work)
        return self._sent[1]

    def _options(self) -> dict[str, Any]:
        others = dict(self._asks)
        return {
            "num_cpus": others.pop("CPU", 0),
            "num_gpus": others.pop("GPU", 0),
            "resources": others,
            "max_retries": self._retries,
            "retry_exceptions": True,
            "runtime_env": {"env_vars": _WORKER_ENVIRONMENT},
        }

    def _room(self) -> int:
        """How many jobs the nodes that are there now can do at a time; `HwnasError` when not a single one."""
        has = self._ray.cluster_resources()
        room = min(int(has.get(name, 0) // amount) for name, amount in self._asks.items())
        if room < 1:
            raise HwnasError(f"a job asks for {self._asks}, and the Ray cluster has only {_without_nodes(has)}")
        return room

    def _failure(self, job: object, error: Any) -> JobFailed:
        raised = getattr(error, "cause", None)
        why = (
            f"{type(raised).__name__}: {raised}" if raised is not None else f"its worker died ({type(error).__name__})"
        )
        failure = JobFailed(job, why, self._retries + 1)
        failure.__cause__ = error
        return failure


def _call(work: Callable[[Job], Result], job: Job) -> Result:
    """What runs on a worker."""
    return work(job)


def _import_ray() -> Any:
    try:
        with _environment(_QUIET):
            import ray
    except ImportError:
        raise HwnasError("these workers need Ray: pip install 'hwnas[ray]'") from None
    return ray


def _connection_errors() -> tuple[type[Exception], ...]:
    """What Ray Client raises once its connection is lost: `cluster_resources` what gRPC does, the others their own."""
    try:
        from grpc import RpcError
    except ImportError:
        return (ConnectionError,)
    return (ConnectionError, RpcError)


def _check_somebody_listens(address: str) -> None:
    """OSError within seconds where nobody listens at host:port; Ray itself would wait there for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


@contextmanager
def _no_word_of_closed_channels() -> Iterator[None]:
    """gRPC's thread that watches a channel may look once more after the channel is closed; its traceback is noise."""
    said, before = threading.excepthook, set(threading.enumerate())

    def say(unhandled: threading.ExceptHookArgs) -> None:
        if "Cannot monitor channel state" not in str(unhandled.exc_value):
            said(unhandled)

    threading.excepthook = say
    try:
        yield
    finally:
        for thread in set(threading.enumerate()) - before:
            if thread.daemon:
                thread.join(_WATCHED_S)
        threading.excepthook = said


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the time being, where the user has not set them."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _without_nodes(resources: Mapping[str, float]) -> dict[str, float]:
    return {name: amount for name, amount in resources.items() if not name.startswith("node:")}
