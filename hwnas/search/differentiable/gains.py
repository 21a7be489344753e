"""What each value of each gene adds to the worth of networks: least squares over networks that were tried."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from hwnas.spaces import Population
from latency_tables.arrays import Floats

_KEPT = 0.99  # of what is known, from one step to the next: the supernet learns on
_RIDGE = 1.0  # networks


class Gains:
    """A sum over genes that is fitted to the worth of networks; what was seen long ago counts less.

    Networks of one step are compared only with each other, so that what they share (a hard batch of images) cancels.
    """

    def __init__(self, genes: int, values: int):
        self._shape, count = (genes, values), genes * values
        self._products = torch.zeros(count, count, dtype=torch.float64)
        self._sums = torch.zeros(count, dtype=torch.float64)

    def observe(self, population: Population, worth: Floats) -> None:
        """Genotypes [n, genes] that were tried in one step, and what each is worth, [n]."""
        rows = one_hot(torch.from_numpy(population), self._shape[1]).flatten(1).double()
        rows, gains = rows - rows.mean(dim=0), torch.from_numpy(worth - worth.mean())
        self._products.mul_(_KEPT).addmm_(rows.T, rows)
        self._sums.mul_(_KEPT).addmv_(rows.T, gains)

    def values(self) -> Tensor:
        """What each value adds, less the mean of its gene, in deviations of all, [genes, values]."""
        ridge = _RIDGE * torch.eye(len(self._sums), dtype=torch.float64)
        found = torch.linalg.solve(self._products + ridge, self._sums).view(self._shape)
        found = found - found.mean(dim=1, keepdim=True)
        scaled: Tensor = found / (found.square().mean().sqrt() + 1e-12)
        return scaled

    def tensors(self) -> Mapping[str, Tensor]:
        """All that was seen, each a tensor that it holds, for an exact resume."""
        return {"gains_products": self._products, "gains_sums": self._sums}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from copies of what `tensors` gave."""
        for name, tensor in self.tensors().items():
            tensor.copy_(state[name])
