import os
import sys

import pytest

from profilers.device.conditions import Conditions, power_mode, read_conditions, was_throttled

CPUINFO = "processor\t: 0\nmodel name\t: Some CPU\ncpu MHz\t\t: 1234.500\n\nprocessor\t: 1\ncpu MHz\t\t: 99.0\n"


@pytest.fixture
def system(tmp_path):
    """A root folder with the files of a system in it."""

    def files(content):
        for name, text in content.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return files


def test_a_system_that_tells_nothing(system, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert read_conditions(system({})) == Conditions()
    assert was_throttled(Conditions(), Conditions()) is None


def test_a_laptop(system):
    root = system(
        {
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "800000\n",
            "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "3400500\n",
            "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n",
            "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "3\n",
            "sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count": "5\n",
            "sys/devices/system/cpu/cpu2/thermal_throttle/core_throttle_count": "7\n",
            "sys/devices/system/cpu/cpu2/thermal_throttle/package_throttle_count": "5\n",
            "sys/devices/system/cpu/cpu3/thermal_throttle/core_throttle_count": "1000\n",
            "sys/class/hwmon/hwmon0/name": "nvme\n",
            "sys/class/hwmon/hwmon0/temp1_input": "99000\n",
            "sys/class/hwmon/hwmon1/name": "coretemp\n",
            "sys/class/hwmon/hwmon1/temp1_input": "61500\n",
            "sys/class/hwmon/hwmon2/name": "coretemp\n",
            "sys/class/hwmon/hwmon2/temp1_input": "64250\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "20000\n",
            "sys/class/thermal/cooling_device0/type": "Processor\n",
            "sys/class/thermal/cooling_device0/cur_state": "0\n",
            "sys/class/thermal/cooling_device1/type": "Fan\n",
            "sys/class/thermal/cooling_device1/cur_state": "4\n",
            "proc/cpuinfo": CPUINFO,
        }
    )
    # the clock of the last core, the counters of both, the hotter of two sockets; a fan throttles nothing
    assert read_conditions(root, [1, 2]) == Conditions(3400.5, 64.25, False, 20, "powersave")


def test_a_board(system):
    files = {
        "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "30000\n",
        "sys/class/thermal/thermal_zone1/type": "CPU-thermal\n",
        "sys/class/thermal/thermal_zone1/temp": "71000\n",
        "sys/class/thermal/cooling_device0/type": "thermal-cpufreq-0\n",
        "sys/class/thermal/cooling_device0/cur_state": "0\n",
        "sys/class/thermal/cooling_device1/type": "thermal-cpufreq-1\n",
        "sys/class/thermal/cooling_device1/cur_state": "2\n",
    }
    read = read_conditions(system(files), [0])
    assert (read.temperature_c, read.throttled) == (71.0, True)
    (system({}) / "sys/class/thermal/cooling_device1/cur_state").write_text("0")
    assert read_conditions(system({}), [0]).throttled is False


@pytest.mark.parametrize(
    ("bits", "throttled"),
    [("0", False), ("2", True), ("4", True), ("8", True), ("1", False), ("50000", False), ("50005", True)],
)
def test_a_raspberry_pi(system, bits, throttled):
    # bits 1 to 3 are of now; bit 0 is low voltage, from bit 16 on it is the past
    root = system({"sys/devices/platform/soc/soc:firmware/get_throttled": bits + "\n"})
    assert read_conditions(root, [0]).throttled is throttled


def test_a_virtual_machine_has_a_clock_only(system, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    root = system({"proc/cpuinfo": CPUINFO})
    assert read_conditions(root, [0]) == Conditions(clock_mhz=1234.5)


@pytest.mark.parametrize("content", ["", "fast", "-", "\x00", "1e3", "99999999999"])
def test_files_with_something_else_in_them(system, content, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    root = system(
        {
            "sys/class/hwmon/hwmon1/name": "k10temp",
            "sys/class/hwmon/hwmon1/temp1_input": content,
            "proc/cpuinfo": f"cpu MHz : {'fast' if content else ''}\n",
        }
    )
    assert read_conditions(root, [0]) == Conditions()


@pytest.mark.parametrize("text", ["nonsense", "nonsense\n"])
def test_counters_with_something_else_in_them(system, text):
    root = system({"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": text})
    assert read_conditions(root, [0]).throttle_events is None


def test_this_machine_can_be_read():
    read = read_conditions()
    assert read.clock_mhz is None or 10 < read.clock_mhz < 20_000
    assert read.temperature_c is None or -50 < read.temperature_c < 150
    assert was_throttled(read, read_conditions()) in (None, False, True)
    assert power_mode().split() == [power_mode()]


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="no /proc/cpuinfo here")
def test_this_machine_s_clock_is_found_where_the_system_shows_one():
    with open("/proc/cpuinfo") as file:
        shown = "cpu MHz" in file.read()
    assert not shown or read_conditions().clock_mhz


@pytest.mark.parametrize(
    ("before", "after", "throttled"),
    [
        (Conditions(), Conditions(throttle_events=3), None),
        (Conditions(throttle_events=3), Conditions(throttle_events=3), False),
        (Conditions(throttle_events=3), Conditions(throttle_events=4), True),
        (Conditions(throttled=True), Conditions(throttled=False), True),
        (Conditions(throttled=False), Conditions(throttled=True), True),
        (Conditions(throttled=False), Conditions(throttled=False), False),
        (Conditions(throttled=False, throttle_events=1), Conditions(throttled=False, throttle_events=2), True),
        (Conditions(throttled=True), Conditions(), True),
        (Conditions(throttled=False), Conditions(), False),
    ],
)
def test_was_throttled(before, after, throttled):
    assert was_throttled(before, after) is throttled
