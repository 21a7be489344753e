import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("shared_training.py")


def trained(out, processes, *arguments):
    out.mkdir(exist_ok=True)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(launch if processes > 1 else []), str(SCRIPT), str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def read(out):
    return torch.load(out / "done.pt", weights_only=False)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    done = trained(out, 1)
    assert done.returncode == 0, done.stderr
    return read(out)


def require_equal(a, b):
    for one, other in zip(a["curves"], b["curves"], strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-9)
        assert one.validation_accuracy == other.validation_accuracy
    for one, other in zip(a["weights"], b["weights"], strict=True):
        for name, value in one.items():
            torch.testing.assert_close(value, other[name], atol=1e-9, rtol=0, msg=name)


def test_two_processes_compute_what_one_does(alone, tmp_path):
    """With dropout, squeeze-excite and batch norm, of a supernet and of a network with running statistics."""
    done = trained(tmp_path / "two", 2)
    assert done.returncode == 0, done.stderr
    require_equal(alone, read(tmp_path / "two"))


def test_a_killed_process_ends_the_others_in_one_line_and_the_training_resumes(alone, tmp_path):
    out = tmp_path / "killed"
    killed = trained(out, 2, "4")  # in the second epoch of three
    assert killed.returncode != 0
    assert not (out / "done.pt").exists()
    assert (out / "supernet").exists()
    resumed = trained(out, 2)
    assert resumed.returncode == 0, resumed.stderr
    require_equal(alone, read(out))
