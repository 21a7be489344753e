import numpy as np
import pytest
import torch
from torch import nn

from hwnas.lowering.onnx_graph import onnx_from_module
from hwnas.lowering.ranges import RANGE_METHODS, Seen, calibrate
from hwnas.spaces.modules import initialise
from latency_tables import HwnasError


def test_ranges_by_hand():
    seen = Seen(-3.0, 10.0, np.arange(-2, 9, dtype=np.float32) / 2)
    assert seen.extremes() == RANGE_METHODS["min-max"](seen) == (-3, 10)
    assert seen.middle(90) == (-0.5, 3.5)  # eleven numbers from -1 to 4
    low, high = RANGE_METHODS["99.99 %"](seen)
    assert -1 < low < -0.999 < 3.999 < high < 4


def test_least_squares_clips_what_is_rare_and_not_what_is_common():
    rare, common = np.random.default_rng(0).normal(size=40_000).astype(np.float32), np.full(40_000, 50, np.float32)
    low, high = Seen(-10.0, 50.0, rare).least_squares()
    assert (low, high) == pytest.approx((-3, 15))  # finer steps are worth the few numbers below -3
    assert Seen(0.0, 50.0, common).least_squares() == (0, 50)
    assert Seen(0.0, 0.0, np.zeros(8, np.float32)).least_squares() == (0, 0)


def test_every_value_is_seen_in_every_batch():
    model = onnx_from_module(nn.Sequential(nn.ReLU(), nn.Flatten()), (3, 4, 4))
    samples = np.zeros((3, 3, 4, 4), np.float32)
    samples[0, 0, 0, 0], samples[1], samples[2, 1] = -5, 2, 7
    seen = calibrate(model, samples)
    assert len(seen) == 3  # the input and two more
    assert [s.extremes() for s in seen.values()] == [(-5, 7), (0, 7), (0, 7)]
    for s in seen.values():
        assert {0, 2, 7} <= set(s.drawn) <= {-5, 0, 2, 7}
    again = calibrate(model, samples)
    assert all(np.array_equal(again[name].drawn, s.drawn) for name, s in seen.items())


def test_samples_fill_whole_batches():
    network = nn.Conv2d(3, 5, 1)
    initialise(network, torch.Generator().manual_seed(0))
    model = onnx_from_module(network, (3, 8, 8), batch=2)
    samples = np.zeros((5, 3, 8, 8), np.float32)
    samples[3], samples[4] = 1.0, 100.0  # the fifth is left out
    assert calibrate(model, samples)["input"].extremes() == (0, 1)
    with pytest.raises(HwnasError, match=r"^the model takes inputs \[2, 3, 8, 8\], .* samples are \[1, 3, 8, 8\]$"):
        calibrate(model, samples[:1])
    with pytest.raises(HwnasError, match=r"samples are \[5, 3, 4, 8\]$"):
        calibrate(model, samples[:, :, :4])
