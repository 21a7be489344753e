from dataclasses import replace

import numpy as np
import pytest
import torch

from hwnas.spaces.modules import initialise
from hwnas.training import (
    Batches,
    CheckpointError,
    Recipe,
    Supernet,
    TrainingError,
    Where,
    accuracy,
    load_checkpoint,
    recalibrate,
    train_network,
    train_supernet,
)

RECIPE = Recipe(4)


class Interrupting:
    """Progress that behaves as someone who presses Ctrl-C at a step, and notes where the work was."""

    def __init__(self, at=None):
        self.at, self.seen = at, []

    def __call__(self, done, total, what):
        self.seen.append(done)
        if done == self.at:
            raise KeyboardInterrupt


def network_of(space):
    network = space.build(space.from_text("tiny:mb2k3/se3k5,fu2k3"))
    initialise(network, torch.Generator().manual_seed(0))
    return network


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(v, b[k]) for k, v in a.items())


@pytest.mark.parametrize("at", [6, 7, 11], ids=["between epochs", "within an epoch", "at the last step"])
def test_a_network_resumes_exactly(space, batches, tmp_path, at):
    straight = network_of(space)
    wanted = train_network(straight, "a", batches, RECIPE, 0, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train_network(network_of(space), "a", batches, RECIPE, 0, tmp_path / "stopped", Interrupting(at))
    resumed, progress = network_of(space), Interrupting()
    torch.manual_seed(99)  # whatever the process did before
    curve = train_network(resumed, "a", batches, RECIPE, 0, tmp_path / "stopped", progress)
    assert progress.seen[0] == at // 3 * 3  # 3 steps an epoch; what was done is not done again
    assert same(straight, resumed)
    assert curve == wanted
    assert curve.epoch == (1, 2, 3, 4)


def test_a_supernet_resumes_exactly(space, batches, tmp_path):
    straight, wanted = train_supernet(space, batches, RECIPE, 0, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train_supernet(space, batches, RECIPE, 0, tmp_path / "stopped", Interrupting(7))
    progress = Interrupting()
    resumed, curve = train_supernet(space, batches, RECIPE, 0, tmp_path / "stopped", progress)
    assert progress.seen[0] == 6
    assert same(straight, resumed)
    assert curve == wanted
    assert not same(straight, Supernet(space, 0))


def test_training_again_after_the_end_does_nothing(space, batches, tmp_path):
    first, again, progress = network_of(space), network_of(space), Interrupting()
    wanted = train_network(first, "a", batches, RECIPE, 0, tmp_path / "c")
    assert train_network(again, "a", batches, RECIPE, 0, tmp_path / "c", progress) == wanted
    assert progress.seen == [12]
    assert same(first, again)


@pytest.mark.parametrize("change", ["name", "recipe", "seed", "data"])
def test_a_checkpoint_of_other_work_is_not_resumed(space, batches, data, tmp_path, change):
    train_network(network_of(space), "a", batches, Recipe(1), 0, tmp_path / "c")
    other = Batches(replace(data, mirror=True), 16) if change == "data" else batches
    recipe = Recipe(1, learning_rate=1e-3) if change == "recipe" else Recipe(1)
    name, seed, progress = "b" if change == "name" else "a", int(change == "seed"), Interrupting()
    train_network(network_of(space), name, other, recipe, seed, tmp_path / "c", progress)
    assert progress.seen == [0, 1, 2, 3]


def test_a_damaged_checkpoint_is_not_gone_on_with(space, batches, tmp_path):
    path, progress = tmp_path / "c", Interrupting()
    fresh, again = network_of(space), network_of(space)
    train_network(fresh, "a", batches, Recipe(1), 0, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="train again"):
        load_checkpoint(path)
    train_network(again, "a", batches, Recipe(1), 0, path, progress)
    assert progress.seen == [0, 1, 2, 3]
    assert same(fresh, again)
    load_checkpoint(path)  # whole again


def test_the_seed_decides_the_outcome(space, batches, tmp_path):
    networks = [network_of(space) for _ in range(3)]
    for i, (network, seed) in enumerate(zip(networks, (0, 0, 1), strict=True)):
        train_network(network, "a", batches, Recipe(1), seed, tmp_path / str(i))
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])


def test_it_learns(space, batches, data, tmp_path):
    network = network_of(space)
    curve = train_network(network, "a", batches, Recipe(12, learning_rate=1e-2), 0, tmp_path / "c")
    assert curve.loss[-1] < 0.8 * curve.loss[0]
    assert accuracy(network, batches.plain(data.test)) > 0.8  # one in three by chance
    assert curve.validation_accuracy[-1] == accuracy(network, batches.plain(data.validation))


def test_every_network_of_a_trained_supernet_has_learned(space, batches, data, tmp_path):
    supernet, curve = train_supernet(space, batches, Recipe(12, learning_rate=1e-2), 0, tmp_path / "c")
    assert curve.loss[-1] < 0.8 * curve.loss[0]
    scores = []
    for arch in space.sample(np.random.default_rng(0), 8):
        network = supernet.extract(arch)
        recalibrate(network, batches.plain(data.train))
        scores.append(accuracy(network, batches.plain(data.test)))
    assert np.mean(scores) > 0.6, scores


OFTEN = Where(checkpoint_s=0)
EVERYTHING = Recipe(4, ema=0.5, clip_norm=1.0, accumulate=2, optimizer="sgd", learning_rate=0.05, own_teacher=True)


@pytest.mark.parametrize(
    "recipe", [RECIPE, EVERYTHING, replace(RECIPE, precision="bf16")], ids=["plain", "all", "bf16"]
)
def test_it_goes_on_in_the_middle_of_an_epoch(space, batches, tmp_path, recipe):
    straight, wanted = train_supernet(space, batches, recipe, 0, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train_supernet(space, batches, recipe, 0, tmp_path / "stopped", Interrupting(7), OFTEN)
    progress = Interrupting()
    resumed, curve = train_supernet(space, batches, recipe, 0, tmp_path / "stopped", progress)
    assert progress.seen[0] == 7  # the second step of the third epoch
    assert same(straight, resumed)
    assert curve == wanted


def test_parts_of_a_batch_add_up_to_it(space, batches, tmp_path):
    """Without batch norm and dropout, whose parts are not the whole's, a batch in two parts teaches the same."""

    def trained(accumulate):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
        recipe = Recipe(2, optimizer="sgd", learning_rate=1e-2, accumulate=accumulate)
        return train_network(network, "a", batches, recipe, 0, tmp_path / str(accumulate)), network[1].weight

    (once, weight), (twice, parts) = trained(1), trained(2)
    torch.testing.assert_close(weight, parts)
    assert once.loss == pytest.approx(twice.loss)


def test_the_average_of_weights_is_the_result(batches, tmp_path):
    """One step per epoch, decay 1/2: the weights after steps 1 and 2 count half each."""
    whole = Batches(batches.data, 48)

    def weights(recipe):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
        train_network(network, "a", whole, recipe, 0, tmp_path / f"{recipe.epochs}-{recipe.ema}")
        return network[1].weight

    recipe = Recipe(1, optimizer="sgd", momentum=0.0, learning_rate=1e-2, schedule="constant", warmup=0.0)
    first, second = weights(recipe), weights(replace(recipe, epochs=2))
    torch.testing.assert_close(weights(replace(recipe, epochs=2, ema=0.5)), (first + second) / 2)


def test_the_gradient_is_no_longer_than_asked(batches, tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
    before = torch.cat([p.detach().clone().flatten() for p in network.parameters()])
    recipe = Recipe(
        1, optimizer="sgd", momentum=0.0, learning_rate=0.5, schedule="constant", warmup=0.0, weight_decay=0.0
    )
    train_network(network, "a", Batches(batches.data, 48), replace(recipe, clip_norm=0.1), 0, tmp_path / "c")
    after = torch.cat([p.detach().flatten() for p in network.parameters()])
    assert float((after - before).norm()) == pytest.approx(0.5 * 0.1, rel=1e-4)


def test_a_diverging_loss_stops_and_keeps_the_last_good_checkpoint(space, batches, tmp_path):
    class Exploding(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.steps = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3)), 0

        def forward(self, x):
            self.steps += self.training
            return self.net(x) * (float("inf") if self.steps == 5 else 1.0)

    path = tmp_path / "c.safetensors"
    with pytest.raises(TrainingError, match=r"no longer finite in epoch 2.*learning rate of 0\.003.*c\.safetensors"):
        train_network(Exploding(), "a", batches, RECIPE, 0, path)
    assert all(torch.isfinite(t).all() for t in load_checkpoint(path).tensors.values())
    assert load_checkpoint(path).metadata["curve"]["epoch"] == [1]


def test_memory_that_is_short_says_which_batch_fits(batches, tmp_path):
    class Hungry(torch.nn.Sequential):
        def forward(self, x):
            if self.training and len(x) > 5:
                raise torch.OutOfMemoryError
            return super().forward(x)

    network = Hungry(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
    wanted = "16 images at a time do not fit into the memory of cpu, 4 do: set accumulate = 4 in the recipe"
    with pytest.raises(TrainingError, match=wanted):
        train_network(network, "a", batches, RECIPE, 0, tmp_path / "c")
    assert len(train_network(network, "a", batches, replace(RECIPE, accumulate=4), 0, tmp_path / "c").epoch) == 4


def test_each_epoch_is_a_line_of_a_csv_file(space, batches, tmp_path):
    curve = train_network(network_of(space), "a", batches, Recipe(2), 0, tmp_path / "c.safetensors")
    header, *lines = (tmp_path / "c.csv").read_text().splitlines()
    assert header == "epoch,loss,validation_accuracy"
    assert [float(v) for v in lines[1].split(",")] == [2, curve.loss[1], curve.validation_accuracy[1]]
    assert len(lines) == 2
