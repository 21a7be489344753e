import sys
from contextlib import closing
from types import SimpleNamespace

import pytest

from latency_tables import ProfilerError
from profilers.device.energy import EnergyCounter, EnergyMeter
from profilers.device.nvidia import NvidiaGpu


def test_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ProfilerError, match=r"nvidia-ml-py is not installed: pip install 'hwnas\[nvidia\]'"):
        NvidiaGpu()


class Refused(Exception):
    pass


def library(**reasons):
    """NVML as far as one reading goes; reasons for the clocks by the name that this version has for them, in full."""

    def asking(value):
        def ask(gpu):
            if value is None:  # the driver is older than the library
                raise Refused("function not found")
            return value

        return ask

    return SimpleNamespace(
        NVMLError=Refused,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        NVML_CLOCK_SM=1,
        NVML_TEMPERATURE_GPU=0,
        nvmlDeviceGetClockInfo=lambda gpu, kind: 1980,
        nvmlDeviceGetTemperature=lambda gpu, kind: 41,
        **{f"nvmlDeviceGetCurrentClocks{name}": asking(value) for name, value in reasons.items()},
    )


@pytest.mark.parametrize(
    ("reasons", "throttled"),
    [
        ({"EventReasons": 0x40}, True),  # the old name is gone
        ({"EventReasons": 0x04, "ThrottleReasons": 0x40}, False),  # the new one counts; a power cap is no slowdown
        ({"EventReasons": None, "ThrottleReasons": 0x20}, True),
        ({"ThrottleReasons": 0x01}, False),
        ({"EventReasons": None}, None),
        ({}, None),
    ],
)
def test_why_the_clock_is_low_is_asked_by_the_name_that_there_is(monkeypatch, reasons, throttled):
    monkeypatch.setitem(sys.modules, "pynvml", library(**reasons))
    with closing(NvidiaGpu()) as opened:
        read = opened.conditions()
    assert (read.clock_mhz, read.temperature_c, read.throttled) == (1980.0, 41.0, throttled)


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
