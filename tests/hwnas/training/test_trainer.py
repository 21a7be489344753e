import numpy as np
import pytest
import torch

from hwnas.spaces.modules import initialise
from hwnas.training import (
    CheckpointError,
    Recipe,
    Supernet,
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
    from dataclasses import replace

    from hwnas.training import Batches

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
