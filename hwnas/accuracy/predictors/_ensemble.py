"""Ensembles of small torch networks, trained side by side; differentiable in their input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwnas.accuracy.predictors._differentiable import DifferentiablePredictor
from hwnas.accuracy.predictors.losses import LOSSES, mean_squared_error
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

FreeLabels = Callable[[Population], Floats]
Weights = list[Tensor]


@dataclass(frozen=True)
class Fitting:
    """How an ensemble is trained. `loss` is one of `losses.LOSSES`."""

    members: int = 5
    hidden: int = 64
    steps: int = 200
    learning_rate: float = 1e-2
    weight_decay: float = 1e-3
    loss: str = "mse"
    free_networks: int = 512
    free_steps: int = 300


class Ensemble(DifferentiablePredictor):
    """Members differ in their random start; the deviation is that between them.

    `free_labels` [n, k] of genotypes [n, genes], numbers that cost no training (MACs, parameters, milliseconds,
    zero-cost scores), pre-train the encoder on networks without accuracies (semi-supervised: Tang et al. 2020, "A
    semi-supervised assessor of neural architectures").
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        fitting: Fitting | None = None,
        free_labels: FreeLabels | None = None,
    ):
        self.space, self.seed, self.fitting, self.free_labels = space, seed, fitting or Fitting(), free_labels
        self._weights: Weights = []
        self._pretrained: Weights | None = None
        self._centre, self._unit = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)

    @abstractmethod
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the encoder's weights, inputs before outputs; a shape with one number is a bias."""

    @abstractmethod
    def encoder(self, features: Tensor, weights: Weights) -> Tensor:
        """Embeddings [members, n, hidden] of features [n, f]; each weight is [members, *shape]."""

    def learn(self, population: Population, scores: Floats) -> None:
        """Train on scores [n], from the weights that free labels gave or from random ones."""
        generator = torch.Generator().manual_seed(self.seed)
        start = self._start(generator)
        head = self._random([(self.fitting.hidden, 1), (1,)], generator)
        features, target = self.features(population), torch.from_numpy(scores)
        loss, f = LOSSES[self.fitting.loss], self.fitting

        def objective(weights: Weights) -> Tensor:
            return loss(self._answers(features, weights), target).sum()

        self._weights = _descend([w.clone() for w in start + head], objective, f.steps, f.learning_rate, f.weight_decay)
        # Losses of order leave the scale open: put answers on that of the labels.
        with torch.no_grad():
            answers = self._answers(features, self._weights)
        self._centre, self._unit = answers.mean(1, keepdim=True), answers.std(1, keepdim=True).clamp_min(1e-9)
        if f.loss == "mse" or float(target.std()) == 0:
            self._centre, self._unit = torch.zeros_like(self._centre), torch.ones_like(self._unit)

    def latent(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation over members."""
        self.require_fitted()
        answers = (self._answers(features, self._weights) - self._centre) / self._unit
        return answers.mean(0), answers.var(0, unbiased=True).clamp_min(1e-12).sqrt()

    def _answers(self, features: Tensor, weights: Weights) -> Tensor:
        embedded = self.encoder(features, weights[:-2])
        return (embedded @ weights[-2]).squeeze(2) + weights[-1]

    def _random(self, shapes: list[tuple[int, ...]], generator: torch.Generator) -> Weights:
        found = []
        for shape in shapes:
            scale = 0.0 if len(shape) == 1 else (2 / shape[0]) ** 0.5
            weight = torch.randn(self.fitting.members, *shape, generator=generator, dtype=torch.float64)
            found.append(scale * weight)
        return found

    def _start(self, generator: torch.Generator) -> Weights:
        weights = self._random(self.shapes(), generator)
        if self.free_labels is None:
            return weights
        if self._pretrained is None:
            f = self.fitting
            free = self.space.sample(np.random.default_rng([self.seed, 5]), f.free_networks)
            labels = torch.from_numpy(np.asarray(self.free_labels(free), dtype=np.float64))
            labels = (labels - labels.mean(0)) / labels.std(0).clamp_min(1e-9)
            features = self.features(free)
            head = self._random([(f.hidden, labels.shape[1]), (labels.shape[1],)], generator)

            def objective(all_weights: Weights) -> Tensor:
                embedded = self.encoder(features, all_weights[:-2])
                answers = embedded @ all_weights[-2] + all_weights[-1][:, None]
                return sum(
                    (mean_squared_error(answers[:, :, k], labels[:, k]).sum() for k in range(labels.shape[1])),
                    torch.zeros((), dtype=torch.float64),
                )

            found = _descend(weights + head, objective, f.free_steps, f.learning_rate, f.weight_decay)
            self._pretrained = found[:-2]
        return self._pretrained


def _descend(
    weights: Weights, objective: Callable[[Weights], Tensor], steps: int, learning_rate: float, weight_decay: float
) -> Weights:
    for weight in weights:
        weight.requires_grad_()
    optimiser = torch.optim.AdamW(weights, learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(weights).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return [w.detach() for w in weights]
