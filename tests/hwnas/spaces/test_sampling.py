from collections import Counter

import numpy as np
import pytest

from hwnas.spaces import NasBench101, NasBench201, Subspace, mbconv_space, nse_space
from hwnas.spaces.sampling import (
    calibration_networks,
    collect,
    different_functions,
    mixed,
    networks_of_every_op,
    random_networks,
    spread_networks,
)


@pytest.mark.parametrize("name", ["mbconv-32", "mbconv-112", "ofa-mbv3"])
def test_even_over_the_range_where_random_ones_crowd_in_the_middle(name):
    space = mbconv_space(name)
    cost = {op: 1.0 + i % 7 for i, op in enumerate(space.all_ops)}

    def total(archs):
        return np.array([sum(cost[op] for op in space.ops(a)) for a in archs])

    least = sum(min(sum(cost[op] for op in c) for c in slot.options) for slot in space.slots)
    most = sum(max(sum(cost[op] for op in c) for c in slot.options) for slot in space.slots)
    spread = spread_networks(space, cost, np.random.default_rng(0), 25)
    assert len(spread) >= 23
    assert np.array_equal(space.canonical(spread), spread)
    sums = np.sort(total(spread))
    random = total(space.sample(np.random.default_rng(1), 500))
    reach = most - least
    assert sums[0] < least + 0.05 * reach
    assert sums[-1] > most - 0.05 * reach
    assert np.diff(sums).max() < 0.1 * reach
    assert np.ptp(random) < np.ptp(sums)


def test_the_same_seed_gives_the_same_networks():
    space = mbconv_space("mbconv-32")
    cost = dict.fromkeys(space.all_ops, 1.0)
    first, again, other = (spread_networks(space, cost, np.random.default_rng(s), 10) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_mixture_by_hand():
    random, spread = np.arange(7)[:, None], np.array([[100], [101], [3]])
    assert mixed(random, spread, 4)[:, 0].tolist() == [100, 0, 1, 2, 101, 3, 4, 5, 6]


def test_draws_are_collected_until_there_are_enough_or_it_was_tried_often_enough():
    draws = iter([[[1], [1], [2]], [[2], [3], [4]], [[5]]])
    enough = collect(lambda: np.array(next(draws)), 3, 9)
    assert enough[:, 0].tolist() == [1, 2, 3]
    assert next(draws) == [[5]]
    assert collect(lambda: np.array([[7], [8]]), 3, 2)[:, 0].tolist() == [7, 8]


def test_random_networks_are_different_and_new():
    space = mbconv_space("mbconv-32")
    first = random_networks(space, [3, 1], 50)
    second = random_networks(space, [3, 2], 50, exclude=first)
    assert len({tuple(a) for a in np.concatenate([first, second])}) == 100
    assert np.array_equal(random_networks(space, [3, 1], 50), first)


def test_calibration_networks_reach_the_ends_and_leave_out_what_they_are_told():
    space = mbconv_space("mbconv-32")
    cost = {op: 1.0 + i % 7 for i, op in enumerate(space.all_ops)}
    held = random_networks(space, [0, 5], 20)
    drawn = calibration_networks(space, cost, 0, 60, exclude=held)
    assert drawn.shape == (60, len(space.cardinalities))
    assert not {tuple(a) for a in drawn} & {tuple(a) for a in held}
    sums = [sum(cost[op] for op in space.ops(a)) for a in drawn]
    random = [sum(cost[op] for op in space.ops(a)) for a in random_networks(space, [0, 1], 60)]
    assert min(sums) < min(random)
    assert max(sums) > max(random)


def test_every_op_occurs_where_random_networks_leave_some_out():
    space = mbconv_space("mbconv-32")
    macs = {op: 1.0 + i % 7 for i, op in enumerate(space.all_ops)}
    held = random_networks(space, [0, 2], 5)
    balanced = networks_of_every_op(space, macs, 0, 60, exclude=held)
    occurs, by_chance = (
        Counter(op for arch in archs for op in space.ops(arch))
        for archs in (balanced, calibration_networks(space, macs, 0, 60, exclude=held))
    )
    assert not {tuple(arch) for arch in held} & {tuple(arch) for arch in balanced}
    assert set(occurs) == set(space.all_ops)
    assert set(by_chance) < set(space.all_ops)


def test_networks_that_compute_different_things():
    """nb201 has 9,445 cells that differ once dead ops are dropped, and one of them computes nothing."""
    space = NasBench201()
    everything = different_functions(space, [0], 20_000)
    assert len(everything) == 9444
    assert space.computes(everything).all()
    few = different_functions(space, [1], 50)
    assert len(np.unique(space.functions(few), axis=0)) == 50
    assert np.array_equal(few, different_functions(space, [1], 50))
    assert not np.array_equal(few, different_functions(space, [2], 50))


@pytest.mark.parametrize("space", [mbconv_space("mbconv-32"), NasBench101()], ids=lambda space: space.name)
def test_also_where_networks_cannot_be_listed(space):
    found = different_functions(space, [0], 100)
    assert len(np.unique(space.functions(found), axis=0)) == 100
    assert space.computes(found).all()


def test_a_part_of_a_space_computes_what_the_whole_does():
    whole = NasBench201()
    part = Subspace(whole, {0: [0, 3], 3: [0]})
    archs = part.sample(np.random.default_rng(0), 64)
    assert np.array_equal(part.functions(archs), whole.functions(part.to_whole(archs)))
    assert np.array_equal(part.computes(archs), whole.computes(part.to_whole(archs)))
    assert 0 < part.computes(archs).sum() < 64


def test_no_network_is_much_larger_than_random_ones_where_branches_stand_side_by_side():
    """All 77 branches of nse-32 may: random networks have 14, and the largest of them some 22."""
    space = nse_space("nse-32")
    macs = {op: float(1 + i % 5) for i, op in enumerate(space.all_ops)}
    total, archs = space.additive(macs), calibration_networks(space, macs, 0, 80)
    random = random_networks(space, [0, 1], 80)
    assert total(archs).max() <= 1.05 * total(random).max()
    assert archs.sum(axis=1).max() <= random.sum(axis=1).max()
    assert (total(archs) < 0.8 * total(random).min()).any()
    assert len(calibration_networks(space, macs, 0, 0)) == 0  # a kit without whole networks asks for none
