"""Ranking losses by hand."""

import math

import pytest
import torch

from hwnas.accuracy.predictors.losses import list_mle, mean_squared_error, pairwise_bce, pairwise_hinge

SCORES = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)
ANSWERS = torch.tensor([[3.0, 1.0, 2.0], [1.0, 3.0, 2.0]], dtype=torch.float64)  # right, and upside down


def test_values():
    assert mean_squared_error(ANSWERS, SCORES).tolist() == pytest.approx([0.0, 8 / 3])


def test_hinge():
    # upside down, the three pairs are off by 2, 1 and 1, each and the margin
    assert pairwise_hinge(ANSWERS, SCORES, margin=0.1).tolist() == pytest.approx([0.0, (2.1 + 1.1 + 1.1) / 3])


def test_bce():
    def loss(gaps):
        return sum(math.log1p(math.exp(-g)) for g in gaps) / 3

    assert pairwise_bce(ANSWERS, SCORES).tolist() == pytest.approx([loss([2, 1, 1]), loss([-2, -1, -1])])


def test_list_mle():
    def loss(ordered):
        rest = [math.log(sum(math.exp(v) for v in ordered[i:])) for i in range(len(ordered))]
        return sum(r - v for r, v in zip(rest, ordered, strict=True)) / len(ordered)

    assert list_mle(ANSWERS, SCORES).tolist() == pytest.approx([loss([3, 2, 1]), loss([1, 2, 3])])


def test_equal_scores_make_no_pairs():
    equal = torch.ones(3, dtype=torch.float64)
    assert pairwise_hinge(ANSWERS, equal).tolist() == [0, 0]
    assert pairwise_bce(ANSWERS, equal).tolist() == [0, 0]
