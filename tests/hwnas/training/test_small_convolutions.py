"""Gradients of small strided convolutions, in a process of their own: torch's fault would end this one."""

import subprocess
import sys

import torch
from torch import nn

from hwnas.training.small_convolutions import SlicedPointwise, guard_small_convolutions

TRAINS = """
import torch
from torch import nn
from hwnas.training.small_convolutions import guard_small_convolutions

torch.set_num_threads(1)
layer = guard_small_convolutions(nn.Sequential(nn.Conv2d(4, 8, 1, 2))).to(memory_format=torch.channels_last)
for _ in range(150):
    images = torch.randn(16, 4, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    layer(images).square().mean().backward()
    held = [torch.empty(size) for size in (10, 100, 1000, 5000)]
"""


def test_the_process_lives():
    assert subprocess.run([sys.executable, "-c", TRAINS], capture_output=True, text=True).returncode == 0


def test_only_these_are_touched():
    small = nn.Conv2d(4, 8, 1, 2)
    others = [
        nn.Conv2d(8, 8, 1, 2),
        nn.Conv2d(4, 8, 1),
        nn.Conv2d(4, 8, 3, 2),
        nn.Conv2d(4, 8, 1, 2, 1),
        nn.Linear(4, 8),
    ]
    module = nn.Sequential(small, *others)
    assert guard_small_convolutions(module) is module
    assert type(small) is SlicedPointwise
    assert [type(layer) for layer in others] == [nn.Conv2d] * 4 + [nn.Linear]


def test_values_do_not_change():
    torch.manual_seed(0)
    layer, images = nn.Conv2d(4, 8, 1, (2, 3)), torch.randn(2, 4, 7, 6).contiguous(memory_format=torch.channels_last)
    before = layer(images)
    assert torch.allclose(guard_small_convolutions(layer)(images), before, atol=1e-6)
