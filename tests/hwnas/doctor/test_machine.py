"""Each check on its own, from what was read to a finding."""

import numpy as np
import pytest

from hwnas.doctor.machine import (
    boost,
    governor,
    load,
    machine_findings,
    noise,
    pinning,
    quota,
    steal,
    temperature,
    throttling,
)
from hwnas.doctor.readings import Boost, Readings
from profilers.device.conditions import Conditions

OFF = "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"


@pytest.mark.parametrize(
    ("finding", "level", "words"),
    [
        (governor(None), "ok", "not shown"),
        (governor("performance"), "ok", "performance"),
        (governor("powersave"), "fix", "cpupower frequency-set --governor performance"),
        (boost(None), "ok", "not shown"),
        (boost(Boost(False, OFF)), "ok", "off"),
        (boost(Boost(True, OFF)), "fix", OFF),
        (pinning(True), "ok", "pinned"),
        (pinning(False), "note", "wider intervals"),
        (load(None, 2), "ok", "not shown"),
        (load(0.5, 2), "ok", "0.50 tasks on 2 cores"),
        (load(0.51, 2), "fix", "stop it while measuring"),
        (steal(None), "ok", "not shown"),
        (steal(1.0), "ok", "1.0 %"),
        (steal(1.1), "fix", "dedicated"),
        (quota(None, 2), "ok", "no limit"),
        (quota(2.0, 2), "ok", "2 cores' time"),
        (quota(1.5, 2), "fix", "--cpuset-cpus"),
        (throttling(Conditions()), "ok", "not shown"),
        (throttling(Conditions(throttled=False)), "ok", "none"),
        (throttling(Conditions(throttled=True)), "fix", "cool it"),
        (temperature(None), "ok", "not shown"),
        (temperature(89.0), "ok", "89 C"),
        (temperature(90.0), "fix", "90 C"),
    ],
)
def test_a_check(finding, level, words):
    assert finding.level == level
    assert words in f"{finding.text} {finding.fix}"
    assert (finding.fix is None) == (level == "ok")


def test_noise_is_half_of_what_nine_in_ten_visits_span():
    ratios = np.linspace(0.9, 1.1, 101)  # the middle 90 % span 0.91 to 1.09
    assert noise(ratios).level == "fix"
    assert "90 % of 101 visits to the reference network are within +-9.0 %" in noise(ratios).text
    assert noise(1 + (ratios - 1) / 10).level == "ok"
    assert "+-0.9 %" in noise(1 + (ratios - 1) / 10).text


def test_every_check_has_a_name_of_its_own():
    found = machine_findings(Readings(2, Conditions(), None, True, 0.0, None))
    assert len({f.name for f in found}) == len(found) == 7
    assert all(f.level == "ok" for f in found)
