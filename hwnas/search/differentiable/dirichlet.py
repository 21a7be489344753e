"""Dirichlet over the values of each gene (DrNAS, Chen et al. 2021, "Dirichlet Neural Architecture Search")."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hwnas.search.differentiable._adam import AdamDistribution


class DirichletDistribution(AdamDistribution):
    """Weights of the values are drawn from a Dirichlet with concentrations elu(number) + 1, by a pathwise gradient."""

    def probabilities(self) -> Tensor:
        """Concentrations over their sum."""
        there = self._concentrations() * self.allowed
        return there / there.sum(dim=1, keepdim=True)

    def relaxed(self, generator: torch.Generator) -> Tensor:
        """A draw; its gradient goes through the gamma variables it is made of."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            gammas = torch.distributions.Gamma(self._concentrations(), torch.ones(())).rsample()
        there = gammas.clamp_min(1e-12) * self.allowed
        return there / there.sum(dim=1, keepdim=True)

    def numbers_of(self, probabilities: Tensor) -> Tensor:
        """Concentrations with the sum they had, so that draws spread as much as before."""
        total = (self._concentrations() * self.allowed).sum(dim=1, keepdim=True)
        wanted = (probabilities * total).clamp_min(1e-12)
        return torch.where(wanted < 1, wanted.log(), wanted - 1)

    def _concentrations(self) -> Tensor:
        return functional.elu(self.numbers) + 1 + 1e-12
