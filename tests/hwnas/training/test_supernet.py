from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwnas.accuracy import SupernetAccuracy, SupernetProbability
from hwnas.accuracy.contract import check_estimator
from hwnas.spaces import NSESpace, nse_space
from hwnas.training import Batch, Supernet, accuracy, recalibrate, true_class_probability
from hwnas.training.supernet import slice_like


def test_slices_by_hand():
    shared = torch.arange(4 * 2 * 5 * 5).reshape(4, 2, 5, 5)
    assert torch.equal(slice_like(shared, (3, 1, 3, 3)), shared[:3, :1, 1:4, 1:4])
    assert torch.equal(slice_like(shared, (4, 2, 5, 5)), shared)
    assert torch.equal(slice_like(shared, (1, 1, 1, 1)), shared[:1, :1, 2:3, 2:3])
    assert torch.equal(slice_like(torch.arange(12).reshape(4, 3), (2, 3)), torch.arange(6).reshape(2, 3))
    assert slice_like(torch.arange(7), (3,)).tolist() == [0, 1, 2]  # leading channels, not the middle
    with pytest.raises(ValueError, match="zip"):
        slice_like(shared, (3, 1))


def test_extracted_networks_answer_as_the_supernet_does(still_space):
    supernet = Supernet(still_space, seed=3).train()
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for arch in [*still_space.sample(np.random.default_rng(0), 6), *still_space.sandwich(np.random.default_rng(1))]:
        with torch.no_grad():
            shared = supernet(images, arch)
            alone = supernet.extract(arch).train()(images)
        assert shared.shape == (6, 3)
        assert shared.std() > 1e-3
        assert torch.allclose(shared, alone, atol=1e-5), still_space.to_text(arch)


def test_the_supernet_has_no_running_statistics_of_its_own(still_space):
    supernet = Supernet(still_space)
    images, arch = torch.randn(6, 3, 16, 16), still_space.sample(np.random.default_rng(0), 1)[0]
    before = {k: v.clone() for k, v in supernet.state_dict().items()}
    with torch.no_grad():
        train = supernet.train()(images, arch)
        evaluated = supernet.eval()(images, arch)
    assert torch.equal(train, evaluated)
    assert all(torch.equal(v, before[k]) for k, v in supernet.state_dict().items())


def test_dropout_follows_the_mode(space):
    supernet, arch = Supernet(space), space.sample(np.random.default_rng(0), 1)[0]
    images = torch.randn(6, 3, 16, 16)
    with torch.no_grad():
        supernet.train()
        assert not torch.equal(supernet(images, arch), supernet(images, arch))
        supernet.eval()
        assert torch.equal(supernet(images, arch), supernet(images, arch))


def shared_depthwise(supernet, slot, hswish):
    """The widest depthwise weight of a slot and kind, [24, 1, 5, 5]."""
    activation = nn.Hardswish if hswish else nn.ReLU
    (weight,) = (
        m.weight
        for name, module in supernet.shared.items()
        if name.startswith(f"slot{slot}_") and any(isinstance(k, activation) for k in module.layers)
        for m in module.modules()
        if isinstance(m, nn.Conv2d) and m.groups > 1
    )
    return weight


def test_small_blocks_train_the_middle_of_large_ones(space):
    supernet = Supernet(space).train()
    small = space.from_text("tiny:mb2k3/mb2k3")
    large = space.from_text("tiny:mb3k5/mb3k5")
    mine, other = shared_depthwise(supernet, 1, hswish=False), shared_depthwise(supernet, 1, hswish=True)
    assert mine.shape == (24, 1, 5, 5)
    before, other_before = mine.detach().clone(), other.detach().clone()

    optimizer = torch.optim.SGD(supernet.parameters(), 0.1)
    images, labels = torch.randn(8, 3, 16, 16), torch.arange(8) % 3
    functional.cross_entropy(supernet(images, small), labels).backward()
    used = torch.zeros_like(mine, dtype=torch.bool)
    used[:16, :, 1:4, 1:4] = True  # 8 channels doubled, the centre of 5x5
    assert (mine.grad[~used] == 0).all()
    assert (mine.grad[used] != 0).any()
    assert other.grad is None
    optimizer.step()

    changed = mine.detach() != before
    assert changed.any()
    assert not changed[~used].any()
    assert torch.equal(other.detach(), other_before)
    extracted = [m for m in supernet.extract(large).modules() if isinstance(m, nn.Conv2d) and m.groups == 24]
    assert torch.equal(extracted[0].weight, mine)
    extracted = [m for m in supernet.extract(small).modules() if isinstance(m, nn.Conv2d) and m.groups == 16]
    assert torch.equal(extracted[0].weight, mine[:16, :, 1:4, 1:4])


def test_extracted_weights_are_copies(space):
    supernet, arch = Supernet(space), space.from_text("tiny:mb3k5/mb3k5")
    before = {k: v.clone() for k, v in supernet.state_dict().items()}
    with torch.no_grad():
        for parameter in supernet.extract(arch).parameters():
            parameter.fill_(9.0)
    assert all(torch.equal(v, before[k]) for k, v in supernet.state_dict().items())


def test_the_seed_decides_the_weights(space):
    states = [torch.cat([p.flatten() for p in Supernet(space, seed).parameters()]) for seed in (0, 0, 1)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_a_space_with_its_own_build_is_told_so(space):
    class Other(type(space)):
        def build(self, arch):
            return nn.Sequential(super().build(arch))

    other = Other(space.preset, 3)
    with pytest.raises(TypeError, match=r"its own build\(\)"):
        Supernet(other).extract(other.sample(np.random.default_rng(0), 1)[0])


def batch(*rows):
    images = torch.tensor(rows).view(len(rows), 1, 1, -1)
    return Batch(images, torch.zeros(len(rows), dtype=torch.int64))


def test_recalibration_by_hand():
    network = nn.Sequential(nn.BatchNorm2d(1, momentum=0.3), nn.Dropout(0.9), nn.BatchNorm2d(1, momentum=0.2))
    network.train()(torch.full((2, 1, 1, 2), 100.0))  # what it knew before is forgotten
    recalibrate(network, [batch([0.0, 2.0]), batch([2.0, 6.0]), batch([6.0, 6.0])])
    first, _, second = network
    assert first.running_mean.item() == pytest.approx((1 + 4 + 6) / 3)
    assert first.running_var.item() == pytest.approx((2 + 8 + 0) / 3)  # unbiased, as torch keeps it
    assert second.running_mean.item() == pytest.approx(0, abs=1e-4)  # dropout off: the first one's output as it is
    assert second.running_var.item() == pytest.approx((2 + 2 + 0) / 3, rel=1e-4)
    assert (first.momentum, second.momentum) == (0.3, 0.2)
    assert not any(m.training for m in network.modules())


def test_accuracy_counts():
    network = nn.Flatten()
    images = torch.tensor([[3.0, 1, 2], [1, 3, 2], [1, 2, 3], [3, 2, 1]]).view(4, 3, 1, 1)
    labels = torch.tensor([0, 1, 0, 0])
    assert accuracy(network, [Batch(images[:3], labels[:3]), Batch(images[3:], labels[3:])]) == 0.75


def test_supernet_accuracy_keeps_the_contract(space, batches):
    estimator = SupernetAccuracy(Supernet(space), batches)
    check_estimator(estimator, space)
    archs = space.sample(np.random.default_rng(0), 3)
    estimate = estimator.estimate(archs)
    assert estimate.mean.tolist() == [estimator.evaluate(a) for a in archs]
    assert np.allclose(estimate.mean * 30, np.round(estimate.mean * 30))  # of 30 validation images
    assert np.allclose(estimate.std, np.sqrt(estimate.mean * (1 - estimate.mean) / 30))


def test_supernet_probability_keeps_the_contract_too(space, batches):
    supernet = Supernet(space)
    estimator = SupernetProbability(supernet, batches)
    check_estimator(estimator, space)
    archs = space.sample(np.random.default_rng(0), 3)
    validation, train = batches.data.validation, batches.data.train
    for arch, said in zip(archs, estimator.estimate(archs).mean, strict=True):
        network = supernet.extract(arch)
        recalibrate(network, batches.plain(train, limit=256))
        with torch.no_grad():
            chances = torch.cat([network(batch.images).softmax(1) for batch in batches.plain(validation)])
        assert said == pytest.approx(chances[range(len(validation)), validation.labels].mean().item(), abs=1e-6)


def test_likelihood_is_the_mean_chance_of_the_right_class():
    class Fixed(nn.Module):
        def forward(self, x):
            return torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))

    batch = Batch(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1]))
    assert true_class_probability(Fixed(), [batch]) == pytest.approx((0.7 + 0.25) / 2)
    assert true_class_probability(Fixed(), [batch, Batch(batch.images, torch.tensor([2, 2]))]) == pytest.approx(
        (0.7 + 0.25 + 0.1 + 0.5) / 4
    )


@pytest.fixture(scope="module")
def branches():
    """Seven places of up to eleven branches, at the size of the other tests."""
    return NSESpace(replace(nse_space("nse-32").preset, resolution=16, widths=(8, 12, 16), head_width=16), 3)


def test_branches_of_a_supernet_answer_as_networks_of_their_own_do(branches):
    supernet = Supernet(branches, seed=1).eval()
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for density in (0.0, 0.1, 0.5, 1.0):
        arch = (np.random.default_rng(0).random(len(branches.cardinalities)) < density).astype(np.int64)
        network = supernet.extract(arch).train()
        (dropout,) = (layer for layer in network.modules() if isinstance(layer, nn.Dropout))
        dropout.eval()
        with torch.no_grad():
            torch.testing.assert_close(network(images), supernet(images, arch), atol=1e-4, rtol=1e-4)


def test_scores_of_networks_with_branches_are_those_of_each_alone(branches, batches):
    supernet, population = Supernet(branches, seed=1), branches.sample(np.random.default_rng(1), 4)
    population[1, :40] = population[0, :40]  # the same first places
    estimator = SupernetProbability(supernet, batches)
    together = estimator.estimate(population).mean
    alone = [true_class_probability(estimator.network(arch), estimator._validation) for arch in population]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 4


def test_a_mixture_of_certain_branches_is_their_network(branches):
    supernet = Supernet(branches, seed=1).eval()
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for arch in (branches.sample(np.random.default_rng(2), 1)[0], np.zeros(len(branches.cardinalities), dtype=int)):
        weights = torch.eye(2)[torch.from_numpy(arch)].requires_grad_()
        mixture = supernet.mixed(images, weights)
        torch.testing.assert_close(mixture, supernet(images, arch), atol=1e-4, rtol=1e-4)
        (slope,) = torch.autograd.grad(mixture.square().sum(), weights)
        assert (slope[:, 1] != 0).all()  # those that are not there learn too
