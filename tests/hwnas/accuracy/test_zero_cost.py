"""Scores of untrained networks: by hand on tiny networks, and their habits on real ones."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.accuracy.zero_cost import SCORES, ZeroCostScores, grad_norm, macs, naswot, parameters, snip, synflow, zen
from hwnas.spaces import NasBench201
from hwnas.spaces.nb201.cell import from_text
from hwnas.training import Batch

WEIGHT = [[[[2.0]], [[-1.0]], [[0.5]]]]


def conv(weight):
    layer = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.randn(8, 3, 8, 8, generator=generator), torch.arange(8) % 2)


def test_synflow_by_hand(batch):
    """Through a 1x1 convolution and a sum, every weight's flow is |weight| times the pixels."""
    network = nn.Sequential(conv(WEIGHT), nn.BatchNorm2d(1), nn.Flatten())
    assert synflow(network, batch) == pytest.approx(math.log(3.5 * 64))
    assert synflow(nn.Sequential(conv([[[[0.0]]] * 3]), nn.Flatten()), batch) < -600  # nothing flows


def test_snip_and_grad_norm_by_hand(batch):
    """Two classes from one pooled channel, so the loss's gradient is known in closed form."""
    linear = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        linear.weight.zero_()
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    pooled = batch.images.mean((2, 3))
    signs = torch.where(batch.labels == 0, -0.5, 0.5)[:, None]  # softmax minus one-hot, at weights 0
    gradient = (signs * pooled).mean(0)
    assert grad_norm(network, batch) == pytest.approx(float(math.sqrt(2) * gradient.norm()), rel=1e-5)
    assert snip(network, batch) == 0
    with torch.no_grad():
        linear.weight.fill_(3.0)  # equal logits still, the same gradient
    assert snip(network, batch) == pytest.approx(float(2 * 3 * gradient.abs().sum()), rel=1e-5)


def test_naswot_by_hand():
    """Two images that no unit tells apart have a singular kernel; two that all units do have a diagonal one."""
    network = nn.Sequential(nn.ReLU(), nn.Flatten())
    ones = torch.ones(1, 3, 2, 2)
    apart = Batch(torch.cat([ones, -ones]), torch.tensor([0, 1]))
    assert naswot(network, apart) == pytest.approx(2 * math.log(12))
    assert naswot(network, Batch(torch.cat([ones, ones]), torch.tensor([0, 1]))) == -1e3


def test_zen_grows_with_the_scale_of_what_leaves(batch):
    def network(scale):
        return nn.Sequential(conv((scale * torch.tensor(WEIGHT)).tolist()), nn.AdaptiveAvgPool2d(1))

    once, thrice = (zen(network(scale), batch) for scale in (1.0, 3.0))
    assert thrice - once == pytest.approx(math.log(3), abs=1e-4)


def test_size_scores(batch):
    network = nn.Sequential(conv(WEIGHT), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    assert parameters(network, batch) == pytest.approx(math.log(3 + 2 + 2))
    assert macs(network, batch) == pytest.approx(math.log(3 * 64 + 2))


def test_scores_of_genotypes(batch):
    space = NasBench201(size=8)
    full = from_text("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|")
    poor = from_text("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|")
    both, threads = np.stack([full, poor]), torch.get_num_threads()
    scores = ZeroCostScores(space, batch)
    values = scores(both)
    assert values.shape == (2, len(SCORES))
    assert np.isfinite(values).all()
    assert torch.get_num_threads() == threads
    better = dict(zip(SCORES, values[0] > values[1], strict=True))
    assert all(better[name] for name in ("synflow", "naswot", "zen", "parameters", "macs"))
    assert np.array_equal(ZeroCostScores(space, batch)(both), values)  # the same seed, the same scores


def test_each_network_is_scored_once(batch, monkeypatch):
    space = NasBench201(size=8)
    scores, built = ZeroCostScores(space, batch, ["parameters"]), []
    monkeypatch.setattr(space, "build", lambda arch: built.append(arch) or nn.Linear(3, int(arch.sum()) + 1))
    archs = space.sample(np.random.default_rng(0), 3)
    values = scores(archs[[0, 1, 0, 2, 1]])
    assert len(built) == 3
    assert values[0] == values[2]


def test_modules_are_left_as_they_were(batch):
    network = nn.Sequential(conv(WEIGHT), nn.BatchNorm2d(1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network.append(nn.Linear(1, 2)).eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    for score in SCORES.values():
        score(network, batch)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not network.training
    assert all(p.grad is None for p in network.parameters())
