"""Costs of whole populations against op by op."""

import numpy as np

from hwnas.spaces import AdditiveCost, mbconv_space


def test_it_is_the_sum_over_ops():
    space = mbconv_space("mbconv-32")
    of = {op: float(i + 1) for i, op in enumerate(space.all_ops)}
    archs = space.sample(np.random.default_rng(0), 40)
    cost = AdditiveCost(space, of)
    assert cost(archs).tolist() == [sum(of[op] for op in space.ops(arch)) for arch in archs]
    assert cost.factors(archs).tolist() == cost(archs).tolist()
    low, high = cost.range
    assert low <= cost(archs).min() < cost(archs).max() <= high


def test_the_range_by_hand(conv_space):
    space = conv_space()
    of = {op: float(op["kernel"]) if op.kind == "conv" else 10.0 for op in space.all_ops}
    assert AdditiveCost(space, of).range == (13.0, 25.0)
