"""What each kind of distribution is known for, beside the contract that all keep."""

import numpy as np
import pytest
import torch

from hwnas.search import Budget, InfeasibleBudget
from hwnas.search.differentiable import (
    AnnealedDistribution,
    DirichletDistribution,
    GaussianDistribution,
    PrunedDistribution,
    SoftmaxDistribution,
)
from hwnas.search.differentiable.contract import check_distribution
from hwnas.search.differentiable.likely import most_probable
from hwnas.spaces import NasBench201, NasBenchMacro, mbconv_space
from latency_tables import HwnasError

KINDS = (
    SoftmaxDistribution,
    AnnealedDistribution,
    DirichletDistribution,
    GaussianDistribution,
    PrunedDistribution,
)
SPACE = NasBenchMacro()


def of_ops(space, quantile):
    rng = np.random.default_rng(1)
    cost = space.additive({op: float(rng.random()) for op in space.all_ops})
    return Budget("u", float(np.quantile(cost(space.sample(rng, 2000)), quantile)), cost)


@pytest.mark.parametrize("quantile", [None, 0.2, 0.01])
@pytest.mark.parametrize("space", [NasBench201(), SPACE, mbconv_space("mbconv-32")], ids=lambda space: space.name)
@pytest.mark.parametrize("kind", KINDS)
def test_keeps_the_contract(kind, space, quantile):
    check_distribution(kind, space, [] if quantile is None else [of_ops(space, quantile)])


@pytest.mark.parametrize("kind", KINDS)
def test_keeps_the_budget_of_a_calibrated_table(kind, latency, tiny_mbconv):
    """With knees, and genes whose tables are joint."""
    model = latency(tiny_mbconv)
    upper_ms = model.predict(tiny_mbconv.sample(np.random.default_rng(0), 500)).upper_ms
    check_distribution(kind, tiny_mbconv, [Budget.latency(model, float(np.quantile(upper_ms, 0.3)))])


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_that_nothing_keeps_is_refused_at_once(kind):
    budget = of_ops(SPACE, 0.5)
    with pytest.raises(InfeasibleBudget):
        kind(SPACE, [Budget("u", 0.01 * budget.limit, budget.cost)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_that_is_not_finite_is_refused(kind):
    distribution = kind(SPACE)
    with pytest.raises(HwnasError, match="learning rate"):
        distribution.step(distribution.probabilities().sum() * float("nan"))


def test_a_draw_of_a_dirichlet_has_its_mean_and_a_gradient():
    distribution = DirichletDistribution(SPACE)
    distribution.move_to(torch.tensor([[0.2, 0.3, 0.5]] * 8))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([distribution.relaxed(generator) for _ in range(3000)])
    assert torch.allclose(drawn.mean(dim=0), distribution.probabilities(), atol=0.02)
    assert drawn.detach().std(dim=0).min() > 0.1
    drawn[:, 0, 2].mean().backward()
    assert distribution.numbers.grad[0, 2] > 0 > distribution.numbers.grad[0, 1]
    assert (distribution.numbers.grad[1:] == 0).all()


def test_a_gaussian_draws_more_narrowly_what_it_knows_more_of():
    distribution = GaussianDistribution(SPACE)
    before = distribution.spread.clone()
    for _ in range(20):
        distribution.step(10 * distribution.means[0].square().sum() - 10 * distribution.means[0, 1])
    after = distribution.spread
    assert (after < before).all()
    assert after[0, 1] < after[1, 1]


def test_annealed_entropy_ends_at_a_network():
    """DA2S: with the entropy's full weight the mean is one network, though no loss prefers any."""
    distribution = AnnealedDistribution(SPACE)
    with torch.no_grad():
        distribution.numbers.add_(torch.randn(distribution.numbers.shape, generator=torch.Generator().manual_seed(0)))
    wanted = distribution.mean().argmax(axis=1)
    for step in range(200):
        distribution.anneal(step / 200)
        distribution.step(0.0 * distribution.probabilities().sum())
    assert (distribution.mean().argmax(axis=1) == wanted).all()
    assert distribution.mean().max(axis=1).min() > 0.99


def test_annealing_ends_at_a_network_where_a_budget_binds():
    """Whose limit lies between two networks: an entropy alone leaves one gene between two values."""
    budget = of_ops(SPACE, 0.2)
    distribution = AnnealedDistribution(SPACE, [budget])
    wanted = -torch.from_numpy(np.random.default_rng(2).random((8, 3)))
    for step in range(200):
        distribution.anneal(min(step / 200, 0.94))
        distribution.step((distribution.probabilities() * wanted).sum())
    assert distribution.expected(budget.cost) == pytest.approx(budget.limit, rel=1e-3)
    assert distribution.mean().max(axis=1).min() < 0.99
    likely = most_probable(SPACE, distribution.mean(), [budget])
    distribution.anneal(0.95)
    assert np.array_equal(distribution.mean(), np.eye(3)[likely])
    distribution.step((distribution.probabilities() * wanted).sum())
    assert np.array_equal(distribution.mean(), np.eye(3)[likely])
    assert distribution.expected(budget.cost) == pytest.approx(budget.cost(likely[None])[0])


def test_pruning_ends_at_the_best_network():
    """The worth of a network is a sum, so that the worst value of every gene is seen at once."""
    worth = np.random.default_rng(3).random((8, 3))
    distribution, rng, left = PrunedDistribution(SPACE, learning_rate=0.3), np.random.default_rng(0), []
    for step in range(40):
        distribution.anneal(step / 40)
        left.append(int(distribution.allowed[0].sum()))
        drawn = distribution.sample(rng, 30)
        gains = worth[np.arange(8), drawn].sum(axis=1)
        distribution.learn(drawn, (gains - gains.mean()) / (gains.std() or 1.0))
    assert np.bincount(left).tolist() == [0, 13, 13, 14]
    assert (distribution.allowed.sum(dim=1) == 1).all()
    best = worth.argmax(axis=1)
    assert (distribution.sample(rng, 1)[0] == best).mean() >= 7 / 8


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learned_can_be_given_to_another(kind):
    """As a training does that goes on after a stop: both then learn alike."""

    def learn(distribution, times, seed):
        rng = np.random.default_rng(seed)
        for _ in range(times):
            drawn = distribution.sample(rng, 20)
            distribution.learn(drawn, drawn[:, 0] - 1.0)
        return distribution

    first = learn(kind(SPACE), 10, 0)
    first.prune(3, 1)
    other = kind(SPACE)
    other.restore({name: tensor.clone() for name, tensor in first.tensors().items()})
    assert np.array_equal(first.mean(), other.mean())
    assert np.array_equal(learn(first, 5, 1).mean(), learn(other, 5, 1).mean())


def test_every_value_that_is_left_is_tried_as_often():
    distribution = PrunedDistribution(SPACE)
    distribution.prune(0, 1)
    drawn = distribution.sample(np.random.default_rng(0), 12)
    assert np.bincount(drawn[:, 0], minlength=3).tolist() == [6, 0, 6]
    assert np.bincount(drawn[:, 1], minlength=3).tolist() == [4, 4, 4]


def test_half_of_what_is_tried_is_as_the_mean_has_it_and_half_even():
    distribution = SoftmaxDistribution(SPACE)
    distribution.move_to(torch.tensor([[0.1, 0.3, 0.6]] * 8))
    tried = distribution.trials(np.random.default_rng(0), 600)
    for column in tried.T:  # (.1 + 1/3) / 2 = .217 and so on, and no chance but which network has which
        assert np.abs(np.bincount(column, minlength=3) - [130, 190, 280]).max() <= 1
    assert abs(np.corrcoef(tried[:, 0], tried[:, 1])[0, 1]) < 0.15
    distribution.prune(0, 2)  # of .25 and .75 left: (.25 + .5) / 2
    assert np.bincount(distribution.trials(np.random.default_rng(0), 8)[:, 0]).tolist() == [3, 5]
