"""What several rooms share: the command line in a process of its own, and one tiny but real run."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TINY = (
    "--space mbconv-32 --data digits --limit 200 --calibration-networks 10 --heldout-networks 3 --pairs 10 "
    "--supernet-epochs 1 --evaluations 300 --finalists 2 --train-epochs 1"
).split()


@pytest.fixture(scope="session")
def tiny():
    """Options of a run that does everything, as little as possible of each."""
    return list(TINY)


@pytest.fixture(scope="session")
def hwnas():
    """Run the command line in a fresh process."""

    def call(*arguments):
        command = [sys.executable, "-P", "-m", "hwnas.cli.main", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return call


@dataclass(frozen=True)
class Finished:
    """A run that was brought to its end: its folder (look, but do not touch) and what the process said."""

    folder: Path
    process: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def finished(tmp_path_factory, hwnas):
    """A whole tiny run by `hwnas run`."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = hwnas("run", *TINY, "--json", "--out", folder)
    assert done.returncode in (0, 1), done.stderr
    return Finished(folder, done)


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
