"""Multi-layer perceptrons on the views of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from hwnas.accuracy.predictors._ensemble import Ensemble, Weights
from hwnas.accuracy.predictors._views import ScaledViews
from hwnas.spaces import Population, View


@dataclass(eq=False)
class MLPEnsemble(Ensemble):
    """Two hidden layers on all views side by side (the predictor of White et al. 2021, BANANAS, is one)."""

    views: Sequence[View] | None = None  # the space's own

    @cached_property
    def _scaled(self) -> ScaledViews:
        return ScaledViews(self.space, self.views)

    def features(self, population: Population) -> Tensor:
        """All views side by side, [n, f]."""
        return torch.from_numpy(self._scaled.joined(population))

    def shapes(self) -> list[tuple[int, ...]]:
        """Two layers."""
        hidden = self.fitting.hidden
        return [(sum(self._scaled.widths), hidden), (hidden,), (hidden, hidden), (hidden,)]

    def encoder(self, features: Tensor, weights: Weights) -> Tensor:
        """[members, n, hidden]."""
        first, first_bias, second, second_bias = weights
        hidden = torch.nn.functional.gelu(features @ first + first_bias[:, None])
        return torch.nn.functional.gelu(hidden @ second + second_bias[:, None])
