import numpy as np
import pytest
import torch

from hwnas.accuracy.angle import weight_angles
from hwnas.training import Supernet


def cosine_alone(initial, trained, arch):
    old, new = (
        torch.cat([p.detach().flatten() for p in net.extract(arch).parameters() if p.dim() > 1])
        for net in (initial, trained)
    )
    return float(torch.dot(old, new) / old.norm() / new.norm())


def test_angles_are_those_of_the_networks_alone(tiny_space, rng):
    initial, trained = Supernet(tiny_space, 0), Supernet(tiny_space, 0)
    with torch.no_grad():
        for p in trained.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    archs = tiny_space.sample(rng, 6)
    angles = weight_angles(initial, trained, archs)
    assert np.cos(angles) == pytest.approx([cosine_alone(initial, trained, arch) for arch in archs], abs=1e-5)
    assert (angles > 0.05).all()


def test_untrained_weights_have_not_turned_and_negated_ones_have_turned_half(tiny_space, rng):
    initial, negated = Supernet(tiny_space, 0), Supernet(tiny_space, 0)
    with torch.no_grad():
        for p in negated.parameters():
            p.mul_(-2)
    archs = tiny_space.sample(rng, 3)
    assert weight_angles(initial, initial, archs) == pytest.approx([0, 0, 0], abs=1e-6)
    assert weight_angles(initial, negated, archs) == pytest.approx([np.pi] * 3, abs=1e-6)
