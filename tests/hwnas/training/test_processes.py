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


THREADS = """
import os

import torch
from torch import nn

from hwnas.training.processes import joined

torch.set_num_threads(1)


def threads():
    return len(os.listdir("/proc/self/task"))


before = threads()
with joined():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
assert threads() == before, "threads of the group are left, and may abort the process when it ends"
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc, which is Linux's")
def test_nothing_of_the_group_is_left_when_it_was_left(tmp_path):
    (tmp_path / "threads.py").write_text(THREADS)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launch, tmp_path / "threads.py"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
