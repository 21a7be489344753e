import pytest

from profilers import Session
from profilers.device.energy import EnergyCounter, EnergyMeter, energy_mj_per_run


class Reader:
    """A counter's readings, one after the other."""

    def __init__(self, *readings):
        self.readings = list(readings)

    def __call__(self):
        return self.readings.pop(0)


class Counting(Session):
    def __init__(self):
        self.runs = 0

    def run(self):
        self.runs += 1


def test_used_by_hand():
    assert EnergyCounter(Reader(), 1000).used_uj(300, 750) == 450
    assert EnergyCounter(Reader(), 1000).used_uj(750, 300) == 550  # 250 to the end of the range, 300 from its start
    assert EnergyCounter(Reader(), 262_143_328_850).used_uj(262_143_328_800, 150) == 200
    assert EnergyCounter(Reader(), 1000).used_uj(300, 300) == 0


def test_two_sockets_one_of_which_wraps():
    meter = EnergyMeter([EnergyCounter(Reader(100, 4_100), 10_000), EnergyCounter(Reader(9_000, 2_000), 10_000)])
    before, after = meter.read_uj(), meter.read_uj()
    assert (before, after) == ((100, 9_000), (4_100, 2_000))
    assert meter.used_mj(before, after) == 4.0 + 3.0


def test_one_run_at_least_and_its_share_of_the_window():
    session = Counting()
    assert energy_mj_per_run(session.run, 0.0, EnergyMeter([EnergyCounter(Reader(0, 5_000))])) == 5.0
    assert session.runs == 1
    session = Counting()
    used = energy_mj_per_run(session.run, 0.01, EnergyMeter([EnergyCounter(Reader(7_000, 1_000), 8_000)]))
    assert session.runs > 1
    assert used == pytest.approx(2.0 / session.runs)  # 1,000 uJ to the end of the range and 1,000 after it


@pytest.mark.parametrize(
    "readings",
    [(None,), (5, None), (5, 5), (5_000, 2)],  # unreadable, refused later, stands still, reset without a range
)
def test_what_cannot_be_told_is_none(readings):
    assert energy_mj_per_run(Counting().run, 0.0, EnergyMeter([EnergyCounter(Reader(*readings))])) is None


def test_one_counter_that_cannot_be_read_spoils_the_sum():
    meter = EnergyMeter([EnergyCounter(Reader(1)), EnergyCounter(Reader(None))])
    assert meter.read_uj() is None
    assert EnergyMeter([]).read_uj() is None


def test_an_unreadable_counter_costs_no_run(tmp_path):
    session = Counting()
    assert energy_mj_per_run(session.run, 1.0, EnergyMeter.of_cpu(tmp_path)) is None
    assert session.runs == 0


def test_packages_only(tmp_path):
    zones = {"intel-rapl:0": "1000", "intel-rapl:0:0": "77", "intel-rapl:1": "20", "intel-rapl": None}
    for name, reading in zones.items():
        folder = tmp_path / "sys/class/powercap" / name
        folder.mkdir(parents=True)
        if reading:
            (folder / "energy_uj").write_text(reading + "\n")
            (folder / "max_energy_range_uj").write_text("5000\n")
    meter = EnergyMeter.of_cpu(tmp_path)
    assert meter.read_uj() == (1000, 20)
    assert [c.range_uj for c in meter.counters] == [5000, 5000]
    (tmp_path / "sys/class/powercap/intel-rapl:1/energy_uj").write_text("nothing")
    assert meter.read_uj() is None


def test_this_machine():
    if EnergyMeter.of_cpu().read_uj() is None:
        pytest.skip("this machine shows no energy counter")
    used = energy_mj_per_run(Counting().run, 0.2, EnergyMeter.of_cpu())
    assert used is None or used > 0
