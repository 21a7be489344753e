"""Flatness of networks whose losses are known."""

import math

import pytest
import torch
from torch import nn

from hwnas.accuracy.flatness import flatness
from hwnas.training import Batch


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 16, 5, generator=generator)
    return [Batch(x, torch.arange(16) % 3) for x in images]


def linear(scale):
    layer = nn.Linear(5, 3, bias=False)
    nn.init.constant_(layer.weight, 0.1)
    return nn.Sequential(layer, _Times(scale))


class _Times(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x * self.scale


def test_steeper_losses_are_less_flat(batches):
    found = [flatness(linear(scale), batches) for scale in (1.0, 10.0, 100.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 5 * found[1] > 5 * found[2]


def test_one_over_the_slope_by_hand(batches):
    """One step to a deviation of 1: the loss before and after, with the same noise drawn here."""
    network, generator = linear(1.0), torch.Generator().manual_seed(4)
    disturbed = network[0].weight.detach() + torch.randn(3, 5, generator=generator)
    images, labels = torch.cat([b.images for b in batches]), torch.cat([b.labels for b in batches])
    after = float(nn.functional.cross_entropy(images @ disturbed.T, labels))
    assert flatness(network, batches, seed=4, sigmas=(1.0,)) == pytest.approx(1 / abs(after - math.log(3)), rel=1e-4)


def test_the_network_comes_back_as_it_was(batches):
    network = linear(1.0).train()
    before = network[0].weight.detach().clone()
    assert flatness(network, batches) == flatness(network, batches)
    assert torch.equal(network[0].weight, before)
    assert not network.training
