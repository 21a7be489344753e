import json
import subprocess
import sys

import numpy as np
import pytest

from profilers.device.memory import peak_memory_mb

# Where much has been freed before, growth hides in what the allocator kept: a process of its own.
MEASURE = """
import json, numpy as np
from profilers.device.memory import peak_memory_mb
works = [lambda n=n: np.ones(n, np.uint8).sum() for n in (1_000, 64_000_000, 1_000, 128_000_000)]
print(json.dumps([peak_memory_mb(work) for work in works]))
"""


def test_growth_is_seen_though_it_is_given_back():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    peaks = json.loads(done.stdout)
    if None in peaks:
        pytest.skip("this system does not show the peak of a process's memory")
    assert peaks == pytest.approx([0, 64, 0, 128], abs=4)


def test_the_work_s_own_error_comes_through():
    def fails():
        raise FileNotFoundError("of the work")

    if peak_memory_mb(lambda: np.ones(10)) is None:
        pytest.skip("this system does not show the peak of a process's memory")
    with pytest.raises(FileNotFoundError, match="of the work"):
        peak_memory_mb(fails)


def test_the_work_is_done_where_memory_cannot_be_read(monkeypatch):
    monkeypatch.setattr("profilers.device.memory._forget_peak", lambda: None)
    done = []
    assert peak_memory_mb(lambda: done.append(1)) is None
    assert done == [1]
