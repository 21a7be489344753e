"""What a neural predictor is trained for: the values, or only their order.

Every loss takes answers [members, n] and true scores [n] and gives one number a member, [members].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Tensor], Tensor]


def mean_squared_error(answers: Tensor, scores: Tensor) -> Tensor:
    """The values themselves."""
    return (answers - scores).square().mean(1)


def pairwise_hinge(answers: Tensor, scores: Tensor, margin: float = 0.1) -> Tensor:
    """Every pair in the right order, by a margin (Ning et al. 2020, GATES)."""
    return _over_pairs(answers, scores, lambda gaps: functional.relu(margin - gaps))


def pairwise_bce(answers: Tensor, scores: Tensor) -> Tensor:
    """Every pair's order as a binary classification (Burges et al. 2005, RankNet)."""
    return _over_pairs(answers, scores, lambda gaps: functional.softplus(-gaps))


def list_mle(answers: Tensor, scores: Tensor) -> Tensor:
    """The likelihood of the true order under Plackett and Luce (Xia et al. 2008, ListMLE), per network."""
    ordered = answers[:, torch.argsort(scores, descending=True, stable=True)]
    rest = torch.logcumsumexp(ordered.flip(1), dim=1).flip(1)
    return (rest - ordered).mean(1)


LOSSES: dict[str, Loss] = {"mse": mean_squared_error, "hinge": pairwise_hinge, "bce": pairwise_bce, "listmle": list_mle}


def _over_pairs(answers: Tensor, scores: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean `loss` of how far the better network of each pair is ahead of the other."""
    better = scores[:, None] > scores
    gaps = answers[:, :, None] - answers[:, None]
    return (loss(gaps) * better).sum((1, 2)) / better.sum().clamp_min(1)
