"""What several rooms share: the command line in a process of its own, and one tiny but real run."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from latency_tables import Op, OpCost
from profilers.plan import write_plan

TINY = {
    "space": "mbconv-32",
    "data": "digits",
    "limit": 200,
    "rounds": 1,
    "calibration-networks": 10,
    "heldout-networks": 3,
    "pairs": 10,
    "supernet-epochs": 1,
    "evaluations": 300,
    "finalists": 2,
    "train-epochs": 1,
}


def pytest_collection_modifyitems(items):
    """A test that needs a whole run is slow. Slow files come first, so that no worker waits long for the last one.

    One file that needs the run starts at once and makes it; others that need it come late enough not to wait for it.
    """
    files, needing = {}, []
    for item in items:
        files.setdefault(item.path, []).append(item)
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            needing.append(item.path)

    def turn(file):
        if file in needing:
            return 0 if file == needing[0] else 2
        return 1 if any(item.get_closest_marker("slow") for item in files[file]) else 3

    items[:] = [
        item for file in sorted(files, key=lambda file: (turn(file), -len(files[file]))) for item in files[file]
    ]


@pytest.fixture(scope="session")
def tiny():
    """Options of a run that does everything, as little as possible of each."""
    return [word for name, value in TINY.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="session")
def hwnas():
    """Run the command line in a fresh process; one thread, since a sum over more is another sum."""

    def call(*arguments):
        command = [sys.executable, "-P", "-m", "hwnas.cli.main", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return call


@dataclass(frozen=True)
class Finished:
    """A run that was brought to its end: its folder (look, but do not touch) and what the process said."""

    folder: Path
    process: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def finished(tmp_path_factory, hwnas, tiny):
    """A whole tiny run by `hwnas run`; one process makes it for all workers, and for all that share HWNAS_TEST_RUN."""
    base = tmp_path_factory.getbasetemp()
    here = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared = Path(os.environ.get("HWNAS_TEST_RUN", here)) / "finished"
    shared.mkdir(exist_ok=True)
    said, folder = shared / "process.json", shared / "run"
    with FileLock(shared / "lock"):
        if not said.exists():
            done = hwnas("run", *tiny, "--json", "--out", folder)
            assert done.returncode in (0, 1), done.stderr
            said.write_text(json.dumps(vars(done), default=str))
    return Finished(folder, subprocess.CompletedProcess(**json.loads(said.read_text())))


@pytest.fixture
def own_copy(finished, tmp_path):
    """A copy of the finished run that a test may do anything to."""
    return Path(shutil.copytree(finished.folder, tmp_path / "copy"))


@pytest.fixture
def profiled(finished, tmp_path):
    """A copy of the finished run as it was before any training: table and calibration only."""
    leave_out = shutil.ignore_patterns(
        "supernet*", "predict*", "search*", "train*", "export*", "verify*", "test*", "candidates", "report*", "*.png"
    )
    return Path(shutil.copytree(finished.folder, tmp_path / "profiled", ignore=leave_out))


@pytest.fixture(scope="session")
def two_ops(tmp_path_factory):
    """The folder of a plan of two ops and a reference that any runtime knows."""
    from onnx import TensorProto, helper

    def model(kind):
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in "xy"]
        graph = helper.make_graph([helper.make_node(kind, ["x"], ["y"])], kind, ends[:1], ends[1:])
        opset = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()

    models = [(k, Op.of(k.lower(), (3, 8, 8)), OpCost(0.0, 1, 0), model(k)) for k in ("Relu", "Sigmoid")]
    folder = tmp_path_factory.mktemp("two-ops")
    write_plan(folder, "two-ops", model("Tanh"), models)
    return folder


OWN_RUNTIME = """
import numpy as np
import onnxruntime as ort

from latency_tables import ProfilerError, Target
from profilers import Profiler, Session

print("a line that no answer must be mixed up with")


class Running(Session):
    def __init__(self, session):
        self.session = session
        self.inputs = {i.name: np.ones(i.shape, np.float32) for i in session.get_inputs()}

    def run(self):
        self.session.run(None, self.inputs)


class Mine(Profiler):
    quick_to_start = True

    def __init__(self, threads, batch, precision):
        if threads > 8:
            raise RuntimeError("too many threads")
        self.settings = {"threads": threads, "batch": batch, "precision": precision}

    def target(self):
        return Target("my device", "my runtime", "1.0", **self.settings)

    def start(self, engine):
        print("another such line")
        try:
            return Running(ort.InferenceSession(engine.content, providers=["CPUExecutionProvider"]))
        except Exception as e:
            raise ProfilerError(f"my runtime refuses the model: {str(e).splitlines()[0]}") from None
"""


@pytest.fixture
def own_runtime(tmp_path):
    """A runtime of one's own, as it is named on the command line."""
    pytest.importorskip("onnxruntime")
    (tmp_path / "own.py").write_text(OWN_RUNTIME)
    return f"{tmp_path / 'own.py'}:Mine"


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """The python3 of a fresh virtual environment that has only the named packages, as a board would."""

    def make(*packages):
        folder = tmp_path_factory.mktemp("bare")
        venv.create(folder / "venv", with_pip=False)
        (folder / "packages").mkdir()
        for package in packages:
            for found in (Path(sysconfig.get_path("purelib")) / name for name in (package, f"{package}.libs")):
                if found.exists():
                    (folder / "packages" / found.name).symlink_to(found)
        python = folder / "venv" / "bin" / "python3"
        (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
        (site / "packages.pth").write_text(f"{folder / 'packages'}\n")
        return python

    return make


@pytest.fixture(scope="session")
def board_python(bare_python):
    """What a board has: python3, numpy, onnxruntime."""
    pytest.importorskip("onnxruntime")
    return bare_python("numpy", "onnxruntime")


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A host's key, a user's key, and the key of nobody."""
    return pytest.importorskip("benchmarks._loopback").make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def serve(keys, board_python, tmp_path):
    """Start a board behind ssh; everything it started is killed at the end."""
    from benchmarks._loopback import LoopbackBoard

    with ExitStack() as boards:

        def start(home=tmp_path / "home", path=f"{board_python.parent}:/usr/bin:/bin", **settings):
            home.mkdir(exist_ok=True)
            return boards.enter_context(LoopbackBoard(home, keys, path, **settings))

        yield start
