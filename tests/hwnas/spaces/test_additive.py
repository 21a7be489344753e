"""Costs of whole populations against op by op."""

import numpy as np

from hwnas.spaces import NasBench101, mbconv_space
from latency_tables.additive import Factors


def test_it_is_the_sum_over_ops():
    space = mbconv_space("mbconv-32")
    of = {op: float(i + 1) for i, op in enumerate(space.all_ops)}
    archs = space.sample(np.random.default_rng(0), 40)
    cost = space.additive(of)
    assert isinstance(cost, Factors)
    assert cost(archs).tolist() == [sum(of[op] for op in space.ops(arch)) for arch in archs]


def test_a_graph_adds_up_too_without_tables():
    space = NasBench101()
    of = {op: float(i + 1) for i, op in enumerate(space.all_ops)}
    archs = space.sample(np.random.default_rng(0), 10)
    assert space.additive(of)(archs).tolist() == [sum(of[op] for op in space.ops(arch)) for arch in archs]
