"""Calibrating until it no longer helps, on a device whose times are known."""

from itertools import pairwise

import numpy as np
import pytest

from hwnas.spaces import load_space
from hwnas.spaces.sampling import random_networks
from hwnas.tables.workbench import MeasuredOnDevice, Workbench
from latency_tables import LatencyModel, LatencyTable, OpCost, Provenance, TableRow, Target


class KnownDevice(Workbench):
    """A workbench whose networks take 1.1 x the sum of their ops, give or take `noise`; remembers what it measured."""

    noise, asked = 0.02, None

    def networks(self, table, archs, name, progress=lambda *_: None):
        self.asked.append((name, len(archs)))
        exact = 1.1 * LatencyModel(table, self.space).predict(archs).ms
        rng = np.random.default_rng(len(self.asked))
        return MeasuredOnDevice(exact * (1 + self.noise * rng.standard_normal(len(archs))), 100.0)


@pytest.fixture
def bench():
    made = KnownDevice(load_space("mbconv-32"), None, None)
    object.__setattr__(made, "asked", [])
    return made


@pytest.fixture
def table(bench):
    rng = np.random.default_rng(0)
    rows = tuple(TableRow(op, OpCost(0.1, 1, 1), median_us=float(rng.uniform(10, 60))) for op in bench.space.all_ops)
    target = Target("cpu", "onnxruntime", "1", "fp32", 1, 1)
    return LatencyTable(rows, Provenance(target, "mbconv-32", 100.0, "", {}, "", 0.0), b"")


def test_stops_when_more_networks_no_longer_help(bench, table):
    archs = random_networks(bench.space, [0, 1], 100)
    done = bench.calibrate(table, archs, 40)
    used = len(done.archs)
    assert 60 <= used <= 100
    assert used % 20 == 0
    assert bench.asked == [("calibration-40", 40), *((f"calibration-{k}", 20) for k in range(60, used + 1, 20))]
    assert list(done.error_pct) == list(range(40, used + 1, 20))
    errors = list(done.error_pct.values())
    assert all(after <= 0.97 * before for before, after in pairwise(errors[:-1]))
    assert used == 100 or errors[-1] > 0.97 * errors[-2]
    assert done.model.predict(archs).ms == pytest.approx(
        1.1 * LatencyModel(table, bench.space).predict(archs).ms, rel=0.02
    )


def test_no_more_than_there_are(bench, table):
    archs = random_networks(bench.space, [0, 1], 30)
    done = bench.calibrate(table, archs, 40)
    assert (len(done.archs), bench.asked) == (30, [("calibration-30", 30)])
    assert done.measured_ms.shape == (30,)
