"""A supernet's training goes on exactly with a sampler that learns, and not with another sampler."""

import pytest
import torch

from hwnas.training import Recipe, train_supernet
from hwnas.training.paths import ImportancePaths, UniformPaths


class StoppedAt:
    def __init__(self, step):
        self.step, self.seen = step, []

    def __call__(self, done, total, what):
        self.seen.append(done)
        if done == self.step:
            raise KeyboardInterrupt


def test_what_a_sampler_learned_is_in_the_checkpoint(space, batches, tmp_path):
    recipe, straight, resumed = Recipe(3), ImportancePaths(space), ImportancePaths(space)
    wanted, curve = train_supernet(space, batches, recipe, 0, tmp_path / "a", sampler=straight)
    with pytest.raises(KeyboardInterrupt):
        train_supernet(space, batches, recipe, 0, tmp_path / "b", StoppedAt(7), sampler=ImportancePaths(space))
    found, again = train_supernet(space, batches, recipe, 0, tmp_path / "b", sampler=resumed)
    assert again == curve
    assert all(torch.equal(v, found.state_dict()[k]) for k, v in wanted.state_dict().items())
    for gene, probabilities in enumerate(straight.probabilities(1.0)):
        assert probabilities.tolist() == resumed.probabilities(1.0)[gene].tolist()
    assert any(len(set(p)) > 1 for p in straight.probabilities(1.0))  # it did learn


def test_another_sampler_begins_anew(space, batches, tmp_path):
    train_supernet(space, batches, Recipe(1), 0, tmp_path / "a", sampler=UniformPaths(space))
    other, same = StoppedAt(None), StoppedAt(None)
    train_supernet(space, batches, Recipe(1), 0, tmp_path / "a", same, sampler=UniformPaths(space))
    train_supernet(space, batches, Recipe(1), 0, tmp_path / "a", other)
    assert same.seen == [3]
    assert other.seen == [0, 1, 2, 3]
