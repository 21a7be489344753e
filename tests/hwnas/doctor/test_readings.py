"""What is read of a system whose files are laid out by hand."""

import pytest

from hwnas.doctor.readings import Boost, Ticks, read_boost, read_machine, read_quota_cores, read_ticks


def write(root, name, text):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.mark.parametrize(
    ("name", "text", "on", "command"),
    [
        ("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n", True, "echo 1 | sudo tee /sys/devices/"),
        ("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n", False, "echo 1 | sudo tee /sys/devices/"),
        ("sys/devices/system/cpu/cpufreq/boost", "1\n", True, "echo 0 | sudo tee /sys/devices/"),
        ("sys/devices/system/cpu/cpufreq/boost", "0\n", False, "echo 0 | sudo tee /sys/devices/"),
    ],
)
def test_boost(name, text, on, command, tmp_path):
    write(tmp_path, name, text)
    assert read_boost(tmp_path) == Boost(on, f"{command[: command.index('/')]}/{name}")


def test_ticks_and_what_was_stolen(tmp_path):
    assert read_ticks(tmp_path) is None
    write(tmp_path, "proc/stat", "cpu  10 1 5 80 2 1 1 0 7 0\ncpu0 10 1 5 80 2 1 1 0 7 0\n")
    before = read_ticks(tmp_path)
    assert before == Ticks(0, 100)
    write(tmp_path, "proc/stat", "cpu  20 1 5 150 2 1 1 20 7 0\n")
    assert read_ticks(tmp_path).stolen_pct(before) == 20.0
    assert before.stolen_pct(before) == 0.0


def test_the_quota_is_the_least_of_all_levels(tmp_path):
    assert read_quota_cores(tmp_path) is None
    write(tmp_path, "proc/self/cgroup", "0::/user/job\n")
    write(tmp_path, "sys/fs/cgroup/user/job/cpu.max", "max 100000\n")
    assert read_quota_cores(tmp_path) is None
    write(tmp_path, "sys/fs/cgroup/user/cpu.max", "150000 100000\n")
    assert read_quota_cores(tmp_path) == 1.5
    write(tmp_path, "sys/fs/cgroup/user/job/cpu.max", "50000 100000\n")
    assert read_quota_cores(tmp_path) == 0.5


def test_the_quota_of_a_container_and_of_the_first_control_groups(tmp_path):
    write(tmp_path, "proc/self/cgroup", "0::/\n")
    write(tmp_path, "sys/fs/cgroup/cpu.max", "200000 100000\n")
    assert read_quota_cores(tmp_path) == 2.0
    (tmp_path / "sys/fs/cgroup/cpu.max").unlink()
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert read_quota_cores(tmp_path) is None
    write(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n")
    assert read_quota_cores(tmp_path) == 3.0


def test_a_system_that_tells_nothing(tmp_path):
    machine = read_machine(tmp_path)
    assert machine.cores >= 1
    assert (machine.boost, machine.quota_cores, machine.conditions.governor) == (None, None, None)
