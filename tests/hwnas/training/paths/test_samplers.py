"""Every sampler keeps the contract; and what each promises on top."""

import numpy as np
import pytest

from hwnas.spaces import NasBenchMacro
from hwnas.spaces.cost import count_macs
from hwnas.training.paths import (
    BalancedPaths,
    FairPaths,
    ImportancePaths,
    PathSampler,
    SandwichPaths,
    UniformPaths,
)
from hwnas.training.paths.contract import check_path_sampler

MACRO = NasBenchMacro(width_share=0.25)


@pytest.mark.parametrize("make", [UniformPaths, FairPaths, SandwichPaths, BalancedPaths, ImportancePaths])
def test_samplers_keep_the_contract(make, tiny_space):
    check_path_sampler(make, MACRO)
    check_path_sampler(make, tiny_space)


class Forgetful(ImportancePaths):
    def state(self):
        return {}

    def restore(self, state):
        pass


class OneGene(UniformPaths):
    def paths(self, rng, progress):
        paths = super().paths(rng, progress)
        paths[:, 2] = 1
        return paths


class Moody(UniformPaths):
    def paths(self, rng, progress):
        return self.space.sample(np.random.default_rng(), 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [(Forgetful, "restore must bring back"), (OneGene, "layer3 never had the value 0"), (Moody, "depend on the rng")],
)
def test_the_contract_finds(make, said):
    with pytest.raises(AssertionError, match=said):
        check_path_sampler(make, MACRO)


def test_a_fair_step_has_every_choice_once(rng):
    for _ in range(20):
        paths = FairPaths(MACRO).paths(rng, 0.0)
        assert np.array_equal(np.sort(paths, axis=0), np.repeat([[0], [1], [2]], 8, axis=1))
    assert len({FairPaths(MACRO).paths(rng, 0.0).tobytes() for _ in range(9)}) == 9


def test_fair_paths_of_unequal_genes(tiny_space, rng):
    """Nine blocks, two depths: nine paths, each depth four or five times."""
    paths = FairPaths(tiny_space).paths(rng, 0.0)
    assert len(paths) == 9
    assert sorted(np.bincount(paths[:, 0], minlength=2)) == [4, 5]


def test_balanced_groups_have_equal_turns(rng):
    sampler = BalancedPaths(MACRO, groups=4)
    drawn = np.concatenate([sampler.paths(rng, 0.0) for _ in range(800)])
    macs = MACRO.additive({op: float(count_macs(MACRO.build_op(op), op.in_shape)) for op in MACRO.all_ops})
    least, most = macs(np.array([[0] * 8, [2] * 8]))
    turns = np.histogram(macs(drawn), 4, (least, most))[0]
    assert turns.sum() == 800
    assert np.abs(turns / 800 - 0.25).max() < 0.06  # four standard deviations
    assert sampler.name == "balanced-4"


def test_importance_by_hand(rng):
    sampler = ImportancePaths(MACRO)
    for _ in range(2000):
        sampler.observe(np.array([[0] * 8]), np.array([3.0]))
        sampler.observe(np.array([[1] * 8]), np.array([0.0]))
    last, half, start = (sampler.probabilities(t)[5] for t in (1.0, 0.5, 0.0))
    assert last == pytest.approx([3 / 4, 0, 1 / 4], abs=1e-6)  # the third was never drawn: as at the beginning, 1
    assert half == pytest.approx([(3 / 4 + 1 / 3) / 2, 1 / 6, (1 / 4 + 1 / 3) / 2], abs=1e-6)
    assert start == pytest.approx([1 / 3] * 3)


def test_one_that_learns_nothing_has_no_state():
    sampler: PathSampler = UniformPaths(MACRO)
    sampler.observe(np.zeros((1, 8), dtype=np.int64), np.ones(1))
    assert sampler.state() == {}
