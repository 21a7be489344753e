"""A distribution and a supernet that learn together: by hand where an answer is known, stopped and gone on with."""

import numpy as np
import pytest
import torch

from hwnas.search import Budget
from hwnas.search.differentiable import (
    AnnealedDistribution,
    DirichletDistribution,
    GaussianDistribution,
    PrunedDistribution,
    SoftmaxDistribution,
)
from hwnas.search.differentiable.expectation import expected
from hwnas.search.differentiable.learning import train_distribution
from hwnas.search.differentiable.likely import most_probable
from hwnas.spaces import NasBenchMacro, every_network, load_space
from hwnas.training import Recipe, Supernet
from latency_tables import HwnasError

KINDS = (SoftmaxDistribution, AnnealedDistribution, DirichletDistribution, GaussianDistribution, PrunedDistribution)


@pytest.fixture(scope="module")
def macro():
    return NasBenchMacro(num_classes=3, size=16, width_share=0.125)


@pytest.fixture
def layers(macro):
    cost = macro.additive({op: float(op.kind == "mbconv") for op in macro.all_ops})
    return Budget("layers", 4.0, cost)


def certain(arch):
    return torch.eye(3)[torch.from_numpy(arch)]


def test_a_mixture_of_one_network_is_that_network(macro):
    supernet, images = Supernet(macro), torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for arch in macro.sample(np.random.default_rng(0), 5):
        torch.testing.assert_close(supernet.mixed(images, certain(arch)), supernet(images, arch))


def test_a_slot_adds_up_its_options(conv_space):
    """Of kernels 1, 3 and 5 in the first slot; what follows them is linear but for ReLU, so it is held back."""
    space = conv_space()
    supernet = Supernet(space)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    firsts = []
    for value in range(3):
        part, name = next(iter(supernet.parts(np.array([value, 0, 0, 0]))))
        firsts.append(supernet._through([(part, name)], images))
    weights = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]], requires_grad=True)
    x = 0.2 * firsts[0] + 0.3 * firsts[1] + 0.5 * firsts[2]
    x = supernet._through(list(supernet.parts(np.array([0, 0, 0, 0])))[1:], x)
    logits = supernet.mixed(images, weights)
    torch.testing.assert_close(logits, x)
    (slope,) = torch.autograd.grad(logits.square().sum(), weights)
    assert (slope[0] != 0).all()
    assert (slope[1:, 1:] == 0).all()  # an option without weight is not computed


def test_options_of_different_shapes_cannot_be_mixed():
    """Widths are genes there: the first stage answers with more channels or fewer."""
    space = load_space("regnet-32")
    weights = torch.ones(len(space.cardinalities), max(space.cardinalities)) / 2
    with pytest.raises(HwnasError, match="differ in shape"):
        Supernet(space).mixed(torch.randn(2, 3, 32, 32), weights)


@pytest.mark.parametrize("kind", KINDS)
def test_the_budget_is_kept_at_every_step_and_at_the_end(kind, macro, layers, batches, tmp_path):
    distribution, costs = kind(macro, [layers]), []
    step, follow = distribution.step, distribution.follow

    def seen(call):
        def noted(*arguments):
            call(*arguments)
            costs.append(expected(layers.cost, distribution.mean())[0])

        return noted

    distribution.step, distribution.follow = seen(step), seen(follow)
    start = distribution.mean()
    _, curve = train_distribution(distribution, batches, Recipe(8, batch=16), 0, tmp_path / "one.safetensors")
    assert len(costs) >= 3
    assert max(costs) <= layers.limit
    assert not np.allclose(distribution.mean(), start)
    assert len(curve.epoch) == 8
    arch = most_probable(macro, distribution.mean(), [layers])
    assert layers.cost(arch[None])[0] <= layers.limit
    logs = np.log(np.maximum(distribution.mean(), 1e-30))
    every = every_network(macro)
    worth = logs[np.arange(8), every].sum(axis=1)
    assert logs[np.arange(8), arch].sum() == pytest.approx(worth[layers.cost(every) <= 4].max())


@pytest.mark.parametrize("kind", [DirichletDistribution, GaussianDistribution, PrunedDistribution])
def test_a_training_that_stopped_goes_on_where_it_was(kind, macro, layers, batches, tmp_path):
    class Stop(Exception):
        pass

    def stop(done, total, what):
        if done >= 2 * total // 3:
            raise Stop

    recipe = Recipe(3, batch=16)
    whole = kind(macro, [layers])
    supernet, _ = train_distribution(whole, batches, recipe, 0, tmp_path / "whole.safetensors")
    with pytest.raises(Stop):
        train_distribution(kind(macro, [layers]), batches, recipe, 0, tmp_path / "cut.safetensors", stop)
    again = kind(macro, [layers])
    resumed, _ = train_distribution(again, batches, recipe, 0, tmp_path / "cut.safetensors")
    assert np.array_equal(whole.mean(), again.mean())
    for name, value in supernet.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
