import sys
from contextlib import closing

import pytest

from latency_tables import ProfilerError
from profilers.device.energy import EnergyCounter, EnergyMeter
from profilers.device.nvidia import NvidiaGpu


def test_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ProfilerError, match=r"nvidia-ml-py is not installed: pip install 'hwnas\[nvidia\]'"):
        NvidiaGpu()


@pytest.fixture
def gpu():
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    try:
        with closing(NvidiaGpu()) as opened:
            yield opened
    except ProfilerError as e:
        pytest.skip(str(e))


def test_a_gpu_that_is_not_there():
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    with pytest.raises(ProfilerError) as e:
        NvidiaGpu(10_000)
    assert str(e.value).startswith("no NVIDIA GPU 10000 to ask: ")
    assert "\n" not in str(e.value)


def test_a_gpu_that_is(gpu):
    read = gpu.conditions()
    assert read.clock_mhz is None or 0 < read.clock_mhz < 10_000
    assert read.temperature_c is None or 0 < read.temperature_c < 120
    assert read.throttled in (None, False, True)
    before = gpu.energy_uj()
    assert before is None or gpu.energy_uj() >= before
    if before is not None:
        assert EnergyMeter([EnergyCounter(gpu.energy_uj)]).read_uj() is not None
