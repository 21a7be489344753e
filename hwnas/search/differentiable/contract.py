"""The contract every `Distribution` keeps; run it on your own: `check_distribution(MyDistribution, space)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn.functional import one_hot

from hwnas.search.budget import Budget, feasible
from hwnas.search.differentiable._base import Distribution
from hwnas.search.feasibility import closest
from hwnas.spaces import Population, SearchSpace
from hwnas.spaces.contract import check_population

_CLOSE = 1e-6
_DRAWS, _STEPS = 2000, 60


def check_distribution(
    make: Callable[..., Distribution], space: SearchSpace, budgets: Sequence[Budget] = (), seed: int = 0
) -> None:
    """Raise AssertionError unless distributions made by `make(space, budgets)` keep the contract on `space`.

    Costs of `budgets` are sums over genes, and some networks are inside, some outside.
    """
    rng = np.random.default_rng(seed)
    _check_start(make(space), space)
    _check_draws(make(space, budgets), rng, seed)
    _check_moved(make(space), rng)
    _check_learning(make, space, budgets, rng)
    _check_pruning(make, space, budgets)


def _check_probabilities(distribution: Distribution) -> None:
    found = distribution.mean()
    allowed = distribution.allowed.numpy()
    assert found.shape == allowed.shape, "probabilities must be [genes, values]"
    assert (found[~allowed] == 0).all(), "a value that is not allowed must have probability 0"
    assert np.allclose(found.sum(axis=1), 1, atol=_CLOSE), "the probabilities of a gene must add up to 1"
    for budget in distribution.budgets:
        cost = distribution.expected(budget.cost)
        assert cost <= budget.limit, f"{cost:g} {budget.name} are expected, more than the budget of {budget.limit:g}"


def _check_start(distribution: Distribution, space: SearchSpace) -> None:
    _check_probabilities(distribution)
    for row, values in zip(distribution.mean(), space.cardinalities, strict=True):
        assert np.allclose(row[:values], 1 / values, atol=_CLOSE), "without budgets it must begin uniform"
    entropy = distribution.entropy().detach().numpy()
    assert np.allclose(entropy, np.log(space.cardinalities), atol=1e-4), "entropy is in nats, for each gene"


def _check_draws(distribution: Distribution, rng: np.random.Generator, seed: int) -> None:
    _check_probabilities(distribution)
    drawn = distribution.sample(rng, _DRAWS)
    check_population(distribution.space, drawn, "sample")
    assert len(drawn) == _DRAWS, "sample must give as many as asked for"
    _check_trials(distribution.trials(rng, _DRAWS), distribution)
    one, twin, other = (distribution.relaxed(torch.Generator().manual_seed(s)) for s in (seed, seed, seed + 1))
    assert one.shape == distribution.allowed.shape, "relaxed must be [genes, values]"
    assert one.requires_grad, "relaxed must have a gradient"
    assert torch.equal(one, twin), "relaxed must draw from its generator alone"
    weights = torch.stack([one, other]).detach()
    assert torch.allclose(weights.sum(dim=2), torch.ones(()).double()), "relaxed weights of a gene must add up to 1"
    assert (weights[:, ~distribution.allowed] == 0).all(), "relaxed must leave out what is not allowed"


def _check_trials(tried: Population, distribution: Distribution) -> None:
    allowed = distribution.allowed.numpy()
    assert tried.shape == (_DRAWS, len(allowed)), "trials must give as many as asked for, [n, genes]"
    for gene, column in enumerate(tried.T):
        seen = np.bincount(column, minlength=allowed.shape[1]) > 0
        assert (seen == allowed[gene]).all(), "trials must have every value that is allowed, and no other"


def _check_moved(distribution: Distribution, rng: np.random.Generator) -> None:
    wanted = rng.random(distribution.allowed.shape) * distribution.allowed.numpy()
    wanted /= wanted.sum(axis=1, keepdims=True)
    distribution.move_to(torch.from_numpy(wanted))
    assert np.allclose(distribution.mean(), wanted, atol=1e-4), "move_to must have the given mean"
    arch = distribution.space.sample(rng, 5)
    logs = np.log(wanted[np.arange(arch.shape[1]), arch]).sum(axis=1)
    said = distribution.log_probability(arch).detach().numpy()
    assert np.allclose(said, logs, atol=1e-2), "log_probability must be that of the mean"


def _check_learning(
    make: Callable[..., Distribution], space: SearchSpace, budgets: Sequence[Budget], rng: np.random.Generator
) -> None:
    """The cheapest network, the nearer the better, must become likely, with budgets kept at every step."""
    best = closest(space, budgets) if budgets else space.sample(rng, 1)[0]
    gains = one_hot(torch.from_numpy(best), max(space.cardinalities)).double()

    def from_networks(distribution: Distribution) -> None:
        drawn = distribution.sample(rng, 50)
        distribution.learn(drawn, (drawn == best).mean(axis=1))

    def from_gains(distribution: Distribution) -> None:
        distribution.follow(gains, torch.Generator().manual_seed(int(rng.integers(2**62))))

    for learn in (from_networks, from_gains):
        distribution = make(space, budgets)
        before = float(distribution.log_probability(best[None]).detach()[0])
        for _ in range(_STEPS):
            learn(distribution)
            _check_probabilities(distribution)
        after = float(distribution.log_probability(best[None]).detach()[0])
        assert after > min(before + np.log(2), np.log(0.5)), "what gains must become likelier: it did not even double"


def _check_pruning(make: Callable[..., Distribution], space: SearchSpace, budgets: Sequence[Budget]) -> None:
    distribution = make(space, budgets)
    for gene, values in enumerate(space.cardinalities):
        refused = [not distribution.prune(gene, value) for value in range(values)]
        assert any(refused), "the last value of a gene must stay"
        _check_probabilities(distribution)
    drawn = distribution.sample(np.random.default_rng(0), 20)
    assert feasible(budgets, drawn).all(), "pruning must leave a network that keeps the budgets"
