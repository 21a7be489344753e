"""What values add to the worth of networks: a sum is found, shared worth cancels, memory fades, all by hand."""

import numpy as np
import torch

from hwnas.search.differentiable.gains import Gains

RNG = np.random.default_rng(0)
WORTH = RNG.normal(size=(6, 3))


def tried(rng, count=6):
    drawn = rng.integers(0, 3, (count, 6))
    return drawn, WORTH[np.arange(6), drawn].sum(axis=1)


def wanted(worth):
    centred = worth - worth.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean())


def test_a_sum_is_found_whatever_the_networks_of_a_step_share():
    gains, rng = Gains(6, 3), np.random.default_rng(1)
    assert torch.equal(gains.values(), torch.zeros(6, 3).double())
    for _ in range(200):
        drawn, worth = tried(rng)
        gains.observe(drawn, worth + rng.normal(scale=100.0))  # a hard batch is hard for all
    np.testing.assert_allclose(gains.values().numpy(), wanted(WORTH), atol=0.1)


def test_what_was_seen_long_ago_counts_less():
    gains, rng = Gains(6, 3), np.random.default_rng(2)
    for sign in [-1.0] * 200 + [1.0] * 600:
        drawn, worth = tried(rng)
        gains.observe(drawn, sign * worth)
    np.testing.assert_allclose(gains.values().numpy(), wanted(WORTH), atol=0.1)


def test_one_step_of_two_networks_by_hand():
    """They differ in gene 0 alone: half a network each way, worth 1 each way; the ridge is one network."""
    gains = Gains(2, 2)
    gains.observe(np.array([[0, 1], [1, 1]]), np.array([4.0, 6.0]))
    # rows (+-.5, -+.5, 0, 0): products .5 -.5; -.5 .5, sums -1 1; (products + 1)^-1 sums = -.5 .5
    expected = np.array([[-0.5, 0.5], [0.0, 0.0]])
    np.testing.assert_allclose(gains.values().numpy(), expected / np.sqrt((expected**2).mean()))


def test_another_goes_on_from_what_was_seen():
    rng = np.random.default_rng(3)
    first, other = Gains(6, 3), Gains(6, 3)
    first.observe(*tried(rng))
    other.restore({name: tensor.clone() for name, tensor in first.tensors().items()})
    more = tried(rng)
    for gains in (first, other):
        gains.observe(*more)
    assert torch.equal(first.values(), other.values())
