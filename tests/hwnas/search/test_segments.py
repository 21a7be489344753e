"""A beam over segments: what it finds, what it drops unasked, and what it says where nothing fits."""

from itertools import chain as joined

import numpy as np
import pytest

from hwnas.accuracy import AccuracyEstimate, AccuracyEstimator
from hwnas.search import Budget, InfeasibleBudget, Problem, best_by_segments, best_network
from hwnas.search.budget import feasible
from hwnas.search.exact.rest import CheapestRest
from hwnas.search.segments import SUPER_CELLS, segments
from hwnas.spaces import NasBench201, Subspace, load_space, mbconv_space
from latency_tables.additive import Factors, NotSeparable


class Asked(AccuracyEstimator):
    """What a function says, and how many networks it was asked about."""

    def __init__(self, function):
        self.function, self.count = function, 0

    def estimate(self, population):
        self.count += len(population)
        return AccuracyEstimate(self.function(population), np.zeros(len(population)))


def additive(space, seed):
    rng = np.random.default_rng([seed, 5])
    return space.layout.factors([rng.random(len(slot.options)) for slot in space.slots])


@pytest.mark.parametrize("name", ["mbconv-32", "regnet-32", "nasbench-macro"])
@pytest.mark.parametrize("share", [0.02, 0.3])
def test_where_accuracy_adds_up_it_finds_the_best_network_within_a_budget(name, share, latency):
    space = load_space(name)
    for seed in range(2):
        value, model = additive(space, seed), latency(space, seed)
        upper_ms = model.upper_ms(space.sample(np.random.default_rng(seed), 300))
        budgets = (Budget.latency(model, float(np.quantile(upper_ms, share))),)
        found = best_by_segments(Problem(space, Asked(value), budgets=budgets)).population
        assert feasible(budgets, found).all()
        assert value(found[:1])[0] == pytest.approx(best_network(space, value, budgets).value, abs=1e-9)
        assert (np.diff(value(found)) <= 0).all()
        assert len(np.unique(found, axis=0)) == len(found)


def test_the_best_network_by_hand():
    """Accuracy 4 + 2 + 1 for the three large choices of 3, 2 and 1 ms, 2 when the last two go together, 4 ms."""
    space = Subspace(load_space("nasbench-macro"), {gene: [0, 1] if gene in (0, 3, 7) else [0] for gene in range(8)})
    worth = np.array([4.0, 0, 0, 2, 0, 0, 0, 1])
    ms = Factors(space.cardinalities, {(g,): np.array([0.0, c]) for g, c in ((0, 3.0), (3, 2.0), (7, 1.0)) if c} | {
        (g,): np.zeros(1) for g in (1, 2, 4, 5, 6)
    })  # fmt: skip
    problem = Problem(space, Asked(lambda archs: archs @ worth), budgets=(Budget("ms", 4.0, ms),))
    assert best_by_segments(problem).population[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
    together = Problem(
        space, Asked(lambda archs: archs @ worth + 9 * archs[:, 3] * archs[:, 7]), budgets=problem.budgets
    )
    assert best_by_segments(together).population[0].tolist() == [0, 0, 0, 1, 0, 0, 0, 1]


def test_all_choices_of_a_segment_are_asked_about_after_each_super_cell(chain):
    space = chain(genes=10, values=3)  # two segments of five genes
    accuracy = Asked(additive(space, 0))
    best_by_segments(Problem(space, accuracy))
    sampled, trades = 1000, 1
    assert accuracy.count == sampled + trades + 3**5 + SUPER_CELLS * 3**5


def test_a_prefix_that_can_afford_no_rest_is_not_asked_about(chain):
    """Only prefixes of at most 2 are left once the rest costs at least 5: 1 + 5 + 15 of the first segment."""
    space = chain(genes=10, values=3)
    tables = {(gene,): np.arange(3) + (1.0 if gene >= 5 else 0.0) for gene in range(10)}
    budget = Budget("units", 7.0, Factors(space.cardinalities, tables))
    seen = []

    def worth(archs):
        seen.append(archs)
        return archs.sum(axis=1) / 20

    best_by_segments(Problem(space, Asked(worth), budgets=(budget,)))
    of_first_segment = seen[2]
    assert (of_first_segment[:, :5].sum(axis=1) <= 2).all()
    assert len(of_first_segment) == 1 + 5 + 15


def test_a_budget_that_nothing_fits_is_refused_and_the_least_is_named(latency):
    space = mbconv_space("mbconv-32")
    model, accuracy = latency(space), Asked(lambda archs: archs.sum(axis=1))
    with pytest.raises(InfeasibleBudget, match=r"no network of mbconv-32 fits 0.01 ms: the closest is mbconv-32:.* ms"):
        best_by_segments(Problem(space, accuracy, budgets=(Budget.latency(model, 0.01),)))


@pytest.mark.parametrize("name", ["nb101", "nb201"])
def test_costs_that_are_no_sums_are_kept_too(name):
    space = load_space(name)
    budget = Budget("sum", 8, lambda archs: archs.sum(axis=1).astype(float))
    problem = Problem(space, Asked(lambda archs: archs[:, -3:].sum(axis=1) / 10), budgets=(budget,))
    found = best_by_segments(problem).population
    assert (found.sum(axis=1) <= 8).all()
    assert np.array_equal(space.canonical(found), found)
    best = found[0, -3:].sum()
    assert best >= space.sample(np.random.default_rng(0), 300)[:, -3:].sum(axis=1).mean()


def test_segments_are_stages_and_equal_parts_of_large_ones():
    assert list(segments(load_space("nasbench-macro"))) == [[0, 1], [2, 3, 4], [5, 6, 7]]
    assert list(segments(mbconv_space("mbconv-32")))[:2] == [[0, 1, 2], [3, 4, 5]]
    assert list(segments(mbconv_space("mbconv-112")))[:2] == [[0, 1], [2, 3]]  # 3 * 21^3 are too many
    assert list(segments(NasBench201())) == [[0, 1, 2], [3, 4, 5]]
    for name in ("regnet-32", "nb101", "ofa-mbv3"):
        space = load_space(name)
        assert list(joined.from_iterable(segments(space))) == list(range(len(space.cardinalities)))


@pytest.mark.parametrize("decided", [0, 2, 5])
def test_the_cheapest_rest_is_what_brute_force_finds(decided):
    rng = np.random.default_rng(decided)
    cards = (2, 3, 2, 4, 3)
    tables = {g: rng.normal(size=[cards[i] for i in g]) for g in [(), (0,), (1, 2), (0, 3), (4, 2), (2, 3, 4)]}
    cost = Factors(cards, tables)
    every = np.stack(np.meshgrid(*map(np.arange, cards), indexing="ij"), axis=-1).reshape(-1, len(cards))
    completed = CheapestRest(cost, decided)(every)
    assert np.array_equal(completed[:, :decided], every[:, :decided])
    for row, whole in zip(every, completed, strict=True):
        same = every[(every[:, :decided] == row[:decided]).all(axis=1)]
        assert cost(whole[None])[0] == pytest.approx(cost(same).min(), abs=1e-12)


def test_too_many_genes_together_are_refused():
    genes = tuple(range(8))
    cost = Factors((6,) * 9, {genes[:4]: np.zeros((6,) * 4), genes[4:]: np.zeros((6,) * 4)} | {
        (a, b, 8): np.zeros((6,) * 3) for a, b in zip(genes[::2], genes[1::2], strict=True)
    })  # fmt: skip
    with pytest.raises(NotSeparable, match="gene 8 depends on 8 others"):
        CheapestRest(cost, 0)
