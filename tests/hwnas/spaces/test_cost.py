import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hwnas.spaces import mbconv_space
from hwnas.spaces.cost import count_macs, count_params


@pytest.mark.parametrize(
    ("module", "in_shape", "macs", "params"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (3, 16, 16), 8 * 8 * 8 * 27, 8 * 27 + 8),
        (nn.Conv2d(16, 16, 5, padding=2, groups=16, bias=False), (16, 14, 14), 16 * 14 * 14 * 25, 16 * 25),
        (nn.Linear(10, 7), (10,), 70, 77),
        (nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.ReLU()), (3, 4, 4), 16 * 24, 24 + 8 + 16),
    ],
)
def test_by_hand(module, in_shape, macs, params):
    assert (count_macs(module, in_shape), count_params(module)) == (macs, params)


def test_an_mbconv_by_hand():
    """mb3k5 from 16 channels at 32 pixels to 24 at stride 2: expand 16 to 48, 5x5 depthwise, project to 24."""
    space = mbconv_space("mbconv-32")
    op = space.ops(space.from_text("mbconv-32:mb3k5/mb3k3/mb3k3/mb3k3"))[1]
    assert count_macs(space.build_op(op), op.in_shape) == 32 * 32 * 16 * 48 + 16 * 16 * 48 * 25 + 16 * 16 * 48 * 24
    assert count_params(space.build_op(op)) == 16 * 48 + 48 * 25 + 48 * 24 + 2 * (48 + 48 + 24)


@pytest.mark.parametrize("name", ["mbconv-32", "ofa-mbv3"])
def test_a_network_costs_what_its_ops_cost(name):
    space = mbconv_space(name)
    for arch in space.sample(np.random.default_rng(0), 2):
        network = space.build(arch).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, *space.input_shape))
        macs = count_macs(network, space.input_shape)
        assert macs == counter.get_total_flops() / 2
        assert macs == sum(count_macs(space.build_op(op), op.in_shape) for op in space.ops(arch))
        assert count_params(network) == sum(count_params(space.build_op(op)) for op in space.ops(arch))


def test_counting_leaves_the_module_alone():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(0.5)).train()
    count_macs(network, (3, 8, 8))
    assert network.training
    assert next(network.parameters()).device.type == "cpu"
