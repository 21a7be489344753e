"""Spaces whose places take any subset of a pool of branches."""

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.spaces import ArchError, Subspace
from hwnas.spaces.contract import check_space
from hwnas.spaces.modules import Parallel, Residual, conv_bn
from hwnas.spaces.nse.presets import nse_space
from latency_tables import HwnasError


@pytest.mark.parametrize(("name", "samples"), [("nse-32", 4), ("nse-27", 1), ("nse-gpu", 1)])
def test_spaces_that_ship_keep_the_contract(name, samples):
    check_space(nse_space(name, num_classes=7), samples)


def test_pools_and_places_are_the_papers():
    """22 places of 27 and of 72 branches, 21 of 19; every place takes any subset."""
    for name, places, pool in (("nse-27", 22, 27), ("nse-72", 22, 72), ("nse-gpu", 21, 19)):
        space = nse_space(name)
        assert (len(space.preset.plan), len(space.preset.pool)) == (places, pool)
        assert space.size == 2 ** (places * pool)
        assert len({candidate.text for candidate in space.preset.pool}) == pool
    with pytest.raises(HwnasError, match="there are nse-32, nse-27, nse-72, nse-gpu"):
        nse_space("nse-28")


def test_ops_of_a_network_by_hand():
    space = nse_space("nse-32")
    text = "nse-32:k3e3+f5e2/-/-/d3e1/-/k3e6d2/-"
    arch = space.from_text(text)
    assert space.to_text(arch) == text
    assert arch.sum() == 4
    kinds = [op.kind for op in space.ops(arch)]
    # places 2 and 5 halve the image: their skip is a convolution, whatever stands beside it
    assert kinds == ["stem", "irb", "factorised", "project", "double", "project", "irb", "head"]
    dilated = space.ops(arch)[-2]
    assert (dilated.in_shape, dilated["dilation"], dilated["out"], dilated["stride"]) == ((64, 4, 4), 2, 64, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nse-32:-/-/-/-/-/-", "has 7 places between '/', got 6"),
        ("nse-32:-/-/k3e3+k9e3/-/-/-/-", "a branch of place 3 is 'k9e3', not one of k3e3, k3e3d2, "),
        ("nse-27:-", "starts with 'nse-32:'"),
    ],
)
def test_texts_that_do_not_parse(text, says):
    with pytest.raises(ArchError, match=says):
        nse_space("nse-32").from_text(text)


class Twice(Residual):
    """Twice the input, and the input where `residual`."""

    def __init__(self, residual):
        super().__init__()
        conv, norm = conv_bn(1, 1)
        nn.init.constant_(conv.weight, 2.0)
        self.layers, self.residual = nn.Sequential(conv, norm), residual


def test_a_place_is_its_skip_and_the_mean_of_its_branches():
    x = torch.tensor([[[[1.0, 3.0]]]])
    two, ten = Twice(residual=True), Twice(residual=True)
    nn.init.constant_(ten.layers[0].weight, 10.0)
    nn.init.constant_(ten.layers[1].bias, 1.0)
    place = Parallel([], [two, ten]).eval()
    for norm in (place.branches[0][1], place.branches[1][1]):
        norm.eps = 0.0
    # 1 + (2 + 11) / 2 and 3 + (6 + 31) / 2
    assert place(x).flatten().tolist() == pytest.approx([7.5, 21.5])


def test_a_branch_must_end_in_a_batch_norm():
    with pytest.raises(TypeError, match="layers end in a batch norm"):
        Parallel([], [nn.Conv2d(1, 1, 1)])


def test_a_subset_of_the_pool_is_a_part_of_the_space():
    """K of C: what is not active has one value, so that 22 places of 72 branches are a space like any other."""
    whole = nse_space("nse-72")
    rng = np.random.default_rng(0)
    active = dict.fromkeys(range(len(whole.cardinalities)), (0,))
    for genes in whole.stages:
        active |= {int(gene): (0, 1) for gene in rng.choice(genes, 5, replace=False)}
    part = Subspace(whole, active)
    assert part.size == 2 ** (22 * 5)
    arch = part.sample(rng, 3)
    assert (part.from_whole(part.to_whole(arch)) == arch).all()
    assert part.to_text(arch[0]) == whole.to_text(part.to_whole(arch)[0])
    assert len(part.all_ops) < len(whole.all_ops)
