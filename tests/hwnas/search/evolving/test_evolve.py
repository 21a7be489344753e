"""Rounds of a small space: budgets kept, what is found again at once, and what is of another round refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hwnas.search import Budget
from hwnas.search.budget import InfeasibleBudget
from hwnas.search.evolving.active import Active
from hwnas.search.evolving.effort import Effort
from hwnas.search.evolving.evolve import Evolution, Round
from hwnas.search.evolving.fitness import FitnessDistribution
from hwnas.spaces import NSESpace, Subspace, nse_space
from hwnas.training import Recipe
from latency_tables import HwnasError

EFFORT = Effort(active=2, survivors=1, networks=12)


@pytest.fixture(scope="module")
def small():
    """Three places of three branches, 16 x 16 pixels."""
    preset = nse_space("nse-32").preset
    return NSESpace(replace(preset, resolution=16, widths=(8, 12), plan="NRN", pool=preset.pool[:3], head_width=16), 3)


@pytest.fixture
def few(small):
    cost = small.additive({op: float(op.kind == "irb") for op in small.all_ops})
    return Budget("branches", 3.0, cost)


@pytest.fixture
def evolution(small, few, batches, tmp_path):
    return Evolution(small, [few], batches, Recipe(2, batch=16), 0, tmp_path, EFFORT)


def test_every_round_is_inside_the_budget_and_found_again(evolution, small, few):
    rounds = list(evolution.rounds())
    assert [one.number for one in rounds] == [1, 2]
    seen = {gene for one in rounds for genes in one.active.genes for gene in genes}
    assert seen == set(range(9))
    for one in rounds:
        assert one.steps_over == 0
        assert (one.cost <= few.limit).all()
        assert one.cost.tolist() == few.cost(one.population).tolist()
        part = one.active.part(small)
        assert part.contains(one.population).all()
        assert (np.diff(few.cost(one.front)) > 0).all()
        assert ((one.accuracy >= 0) & (one.accuracy <= 1)).all()
    left = evolution.left(rounds[-1])
    active = {gene for genes in rounds[-1].active.genes for gene in genes}
    assert {gene for gene, values in enumerate(left.allowed) if len(values) == 2} <= active
    told = []
    again = list(evolution.rounds(lambda done, total, what: told.append(what)))
    assert told == []  # nothing was trained or scored again
    for one, same in zip(rounds, again, strict=True):
        assert one.active == same.active
        assert np.array_equal(one.population, same.population)
        assert np.array_equal(one.score, same.score)
        assert np.array_equal(one.front, same.front)


@pytest.mark.parametrize(("limit", "left"), [(2.0, 3), (3.0, 6), (6.0, 6)])
def test_what_is_left_does_not_fit_the_budget_altogether(evolution, small, few, limit, left):
    """One branch of a place survives, three together take more than 2: there is a choice. With 3 there is none yet."""
    active = Active(genes=((0, 1), (3, 4), (6, 7)), unseen=((), (), ()))
    population = np.zeros((2, 9), dtype=np.int64)
    population[0, [0, 3, 6]] = population[1, [1, 4, 7]] = 1
    fitness = np.array([1.0, 2.0, 0, 1.0, 2.0, 0, 1.0, 2.0, 0])
    last = Round(1, active, population, np.array([2.0, 3.0]), np.array([0.5, 0.6]), np.array([0.5, 0.6]), fitness, 0)
    part = replace(evolution, budgets=[replace(few, limit=limit)]).left(last)
    there = [gene for gene, values in enumerate(part.allowed) if len(values) == 2]
    assert len(there) == left
    assert {0, 3, 6} <= set(there) or {1, 4, 7} <= set(there)


def test_weights_of_branches_that_stay_are_inherited(evolution):
    evolution = replace(evolution, recipe=Recipe(6, batch=16))  # long enough for a branch to be of use
    first, second = evolution.rounds()
    before, after = (evolution.supernet(one.number, one.active) for one in (first, second))
    stayed = {g for genes in first.active.genes for g in genes} & {g for genes in second.active.genes for g in genes}
    assert stayed
    fresh = type(after)(after.space, seed=evolution.seed + 2)
    fresh.inherit(before, known_only=True)
    stem = next(iter(dict(fresh.shared["slot0_0"].named_parameters())))
    assert torch.equal(
        dict(fresh.shared["slot0_0"].named_parameters())[stem], before.shared["slot0_0"].get_parameter(stem)
    )
    with pytest.raises(HwnasError, match="has no weights in the supernet"):
        fresh.inherit(before)


def test_a_round_of_other_settings_is_refused(evolution, few):
    next(evolution.rounds())
    other = replace(evolution, budgets=[replace(few, limit=2.0)])
    with pytest.raises(HwnasError, match=r"round-1.json is of another round, space, recipe or budget"):
        next(other.rounds())
    path = evolution.folder / "round-1.json"
    path.write_bytes(path.read_bytes().replace(b'"number": 1', b'"number": 7'))
    with pytest.raises(HwnasError, match=r"round-1.json is damaged or was edited"):
        next(evolution.rounds())


def test_a_budget_below_the_cheapest_is_refused_at_once(evolution, few, small):
    cost = small.additive(dict.fromkeys(small.all_ops, 1.0))  # stem, one projection and head are always there
    impossible = replace(evolution, budgets=[Budget("ops", 2.0, cost)])
    with pytest.raises(InfeasibleBudget, match=r"nse-32:-/-/- has the fewest ops, 3; give a larger budget"):
        next(impossible.rounds())
    assert not list(evolution.folder.iterdir())


def test_unfit_branches_go_for_good(small, few):
    distribution = FitnessDistribution(small, [few])
    start = distribution.fitness()
    assert start == pytest.approx(np.full(9, start[0]))
    assert start[0] == pytest.approx(np.log((3 / 9) / (6 / 9)), abs=1e-4)  # 3 of 9 branches are expected
    mean = distribution.probabilities().detach().clone()
    mean[4] = torch.tensor([0.9, 0.1])
    distribution.move_to(mean)
    distribution.anneal(0.5)
    assert distribution.allowed[:, 1].tolist() == [gene != 4 for gene in range(9)]
    assert distribution.fitness()[4] < -60
    drawn = distribution.trials(np.random.default_rng(0), 400)
    assert drawn[:, 4].sum() == 0
    assert drawn.mean(axis=0)[[0, 8]] == pytest.approx([3 / 8, 3 / 8], abs=0.1)  # three of the eight that are left
    free = FitnessDistribution(small).trials(np.random.default_rng(0), 400)
    assert free.mean(axis=0) == pytest.approx(np.full(9, 0.5), abs=0.1)


@pytest.mark.parametrize(("limit", "left"), [(8.0, 9), (7.5, 8), (6.5, 7), (3.0, 6)])
def test_unfit_branches_stay_where_the_budget_holds_them_all(small, few, limit, left):
    distribution = FitnessDistribution(small, [replace(few, limit=limit)])
    mean = torch.full((9, 2), 0.5, dtype=torch.float64)
    mean[[1, 4, 7]] = torch.tensor([[0.9, 0.1], [0.95, 0.05], [0.99, 0.01]], dtype=torch.float64)
    distribution.move_to(mean)
    distribution.anneal(0.5)
    there = distribution.allowed[:, 1].numpy()
    assert there.sum() == left
    assert set(np.flatnonzero(~there)) == set([7, 4, 1][: 9 - left])  # the least fit first


def test_trials_of_a_part_have_only_its_branches(small):
    part = Subspace(small, dict.fromkeys(range(6), (0,)))
    drawn = part.to_whole(FitnessDistribution(part).trials(np.random.default_rng(0), 50))
    assert drawn[:, :6].sum() == 0
    assert (drawn[:, 6:].sum(axis=0) > 10).all()
