"""Multi-layer perceptrons on the views of a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.accuracy.predictors._ensemble import Ensemble, Fitting, FreeLabels, Weights
from hwnas.accuracy.predictors._views import ScaledViews
from hwnas.spaces import Population, SearchSpace, View


class MLPEnsemble(Ensemble):
    """Two hidden layers on all views side by side (the predictor of White et al. 2021, BANANAS, is one)."""

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        fitting: Fitting | None = None,
        free_labels: FreeLabels | None = None,
        views: Sequence[View] | None = None,
    ):
        super().__init__(space, seed, fitting, free_labels)
        self.views = ScaledViews(space, views)

    def features(self, population: Population) -> Tensor:
        """All views side by side, [n, f]."""
        return torch.from_numpy(self.views.joined(population))

    def shapes(self) -> list[tuple[int, ...]]:
        """Two layers."""
        hidden = self.fitting.hidden
        return [(sum(self.views.widths), hidden), (hidden,), (hidden, hidden), (hidden,)]

    def encoder(self, features: Tensor, weights: Weights) -> Tensor:
        """[members, n, hidden]."""
        first, first_bias, second, second_bias = weights
        hidden = torch.nn.functional.gelu(features @ first + first_bias[:, None])
        return torch.nn.functional.gelu(hidden @ second + second_bias[:, None])
