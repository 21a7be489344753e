"""What all distributions over the networks of a space have: independent genes, a step by gradient, budgets kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from hwnas.search.budget import Budget, InfeasibleBudget
from hwnas.search.differentiable.expectation import additive_bound, expected
from hwnas.search.differentiable.projection import part_of, project
from hwnas.search.feasibility import inside_part
from hwnas.spaces import Population, SearchSpace
from latency_tables import HwnasError
from latency_tables.arrays import Floats, Function


class Distribution(ABC):
    """Every gene of a network draws its value on its own, by probabilities that are learned.

    Made as `Kind(space, budgets, learning_rate=...)`, uniform at first and then moved to where the budgets are kept in
    expectation, as after every step. Arrays are [genes, values], values up to the most that a gene has;
    `allowed` says which are there and not pruned. `hwnas.search.differentiable.contract.check_distribution` tests all
    of this on any kind. Raises `InfeasibleBudget` where no network keeps the budgets, `NotSeparable` for a cost that is
    no sum over genes.
    """

    learning_begins: float = 0.6  # the share of a training with shared weights in which those alone learn
    learns_every: int = 1  # steps

    def __init__(self, space: SearchSpace, budgets: Sequence[Budget] = (), learning_rate: float = 0.1):
        self.space, self.budgets, self.learning_rate = space, tuple(budgets), learning_rate
        most = max(space.cardinalities)
        self.allowed = torch.arange(most) < torch.tensor(space.cardinalities)[:, None]

    @abstractmethod
    def probabilities(self) -> Tensor:
        """The mean network [genes, values], with a gradient; exactly 0 where not allowed."""

    @abstractmethod
    def relaxed(self, generator: torch.Generator) -> Tensor:
        """One draw of weights [genes, values] that add up to 1 in each gene, with a gradient."""

    @abstractmethod
    def step(self, loss: Tensor) -> None:
        """Follow the gradient of a loss that was computed from what the methods above gave; then keep the budgets."""

    @abstractmethod
    def move_to(self, probabilities: Tensor) -> None:
        """Have this mean [genes, values], and as much spread as before where the kind has any."""

    def tensors(self) -> Mapping[str, Tensor]:
        """All that it has learned, each a tensor that it holds, for an exact resume."""
        return {"allowed": self.allowed}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from copies of what `tensors` gave."""
        for name, tensor in self.tensors().items():
            tensor.copy_(state[name])

    def anneal(self, progress: float) -> None:  # noqa: B027
        """Be told how much of the learning is over, 0 to 1."""

    def mean(self) -> Floats:
        """`probabilities` as an array."""
        found: Floats = self.probabilities().detach().numpy()
        return found

    def expected(self, cost: Function) -> float:
        """What a network costs in expectation, or a little less than this where the cost bends: what budgets hold."""
        mean = self.mean()
        return expected(additive_bound(cost, mean), mean)[0]

    def keep_budgets(self) -> None:
        """Move to the nearest mean that keeps every budget in expectation."""
        mean = self.mean()
        nearest = project(self.space, mean, self.budgets)
        if nearest is not mean:
            self.move_to(torch.from_numpy(nearest))

    def sample(self, rng: np.random.Generator, n: int) -> Population:
        """Genotypes [n, genes] drawn by the mean, canonical; they keep the budgets in expectation only."""
        return draw(self.space, self.mean(), rng, n)

    def trials(self, rng: np.random.Generator, n: int) -> Population:
        """Genotypes [n, genes] to learn from, not canonical: half is drawn by the mean, half from all that is allowed.

        So every value is tried, among others that are likely.
        """
        return draw_spread((self.mean() + evenly(self.allowed)) / 2, rng, n)

    def learn(self, population: Population, worth: Floats) -> None:
        """Make genotypes [n, genes] more likely that are worth more than the others, [n], and those worth less less.

        One step along the policy gradient (Williams 1992, "REINFORCE").
        """
        self.step(-(torch.from_numpy(standardised(worth)) * self.log_probability(population)).mean())

    def follow(self, gains: Tensor, generator: torch.Generator) -> None:
        """Make values more likely that add more to the worth of networks, by `gains` [genes, values]."""
        self.step(-(self.relaxed(generator) * gains).sum())

    def log_probability(self, population: Population) -> Tensor:
        """Of genotypes [n, genes], [n], with a gradient; -inf for what is not allowed.

        Where a gene has no effect on a network, it is that of the genotype, not of all that are the same network.
        """
        chosen = self.probabilities()[torch.arange(population.shape[1]), torch.from_numpy(population)]
        return chosen.log().sum(dim=1)

    def entropy(self) -> Tensor:
        """Of each gene in nats, [genes], with a gradient."""
        mean = self.probabilities()
        return -(mean * mean.clamp_min(1e-30).log()).sum(dim=1)

    def prune(self, gene: int, value: int) -> bool:
        """Never draw this value again; refused (False) where no network would be left that keeps the budgets."""
        fewer = self.allowed.clone()
        fewer[gene, value] = False
        if not fewer[gene].any() or torch.equal(fewer, self.allowed):
            return False
        try:
            inside_part(part_of(self.space, fewer.numpy()), self.budgets)
        except InfeasibleBudget:
            return False
        mean = torch.where(fewer, self.probabilities().detach(), 0.0)
        total = mean.sum(dim=1, keepdim=True)
        self.allowed.copy_(fewer)
        self.move_to(torch.where(total > 0, mean / total, fewer / fewer.sum(dim=1, keepdim=True)))
        self.keep_budgets()
        return True


def draw(space: SearchSpace, probabilities: Floats, rng: np.random.Generator, n: int) -> Population:
    """Genotypes [n, genes] of independent genes with these probabilities [genes, values], canonical."""
    heights = probabilities.cumsum(axis=1)
    drawn = rng.random((n, len(heights), 1)) * heights[:, -1:]
    return space.canonical((drawn > heights).sum(axis=2))


def draw_spread(probabilities: Floats, rng: np.random.Generator, n: int) -> Population:
    """As `draw`, but with each value as often as its probability says, to within one; not canonical."""
    heights = probabilities.cumsum(axis=1)
    at = (np.arange(n) + rng.random((len(heights), 1))) / n * heights[:, -1:]
    return rng.permuted((at[:, :, None] > heights[:, None]).sum(axis=2), axis=1).T.copy()


def evenly(allowed: Tensor) -> Floats:
    """Probabilities [genes, values] that are the same for all values `allowed` of a gene."""
    found: Floats = (allowed / allowed.sum(dim=1, keepdim=True)).double().numpy()
    return found


def standardised(worth: Floats) -> Floats:
    """In deviations from the mean, [n]."""
    gains: Floats = (worth - worth.mean()) / (float(worth.std()) or 1.0)
    return gains


def require_finite(loss: Tensor) -> None:
    """Raise `HwnasError` for a loss that nothing can be learned from."""
    if not torch.isfinite(loss):
        raise HwnasError("the loss of a distribution is no longer finite: lower its learning rate")
