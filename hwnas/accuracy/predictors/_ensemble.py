"""Ensembles of small torch networks, trained side by side; differentiable in their input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hwnas.accuracy.predictors._differentiable import DifferentiablePredictor
from hwnas.accuracy.predictors.losses import LOSSES, mean_squared_error
from hwnas.spaces import Population, SearchSpace
from latency_tables.arrays import Floats

FreeLabels = Callable[[Population], Floats]
Weights = list[Tensor]

_INSIDE = torch.float32  # for training and for answers; twice as fast, and ranks as well


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


@dataclass(eq=False)
class Ensemble(DifferentiablePredictor):
    """Members differ in their random start; the deviation is that between them.

    `free_labels` [n, k] of genotypes [n, genes], numbers that cost no training (MACs, parameters, milliseconds,
    zero-cost scores), pre-train the encoder on networks without accuracies (semi-supervised: Tang et al. 2020, "A
    semi-supervised assessor of neural architectures").
    """

    space: SearchSpace
    seed: int = 0
    fitting: Fitting = Fitting()
    free_labels: FreeLabels | None = None
    _pretrained: Weights | None = field(default=None, init=False)

    asked_in, at_once = _INSIDE, 256

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
        features, target = self.features(population).to(_INSIDE), torch.from_numpy(scores).to(_INSIDE)
        loss, f = LOSSES[self.fitting.loss], self.fitting

        def objective(weights: Weights) -> Tensor:
            return loss(self._answers(features, weights), target).sum()

        self._weights = _descend(start + head, objective, f, f.steps)
        self._centre, self._unit = torch.zeros(1, 1), torch.ones(1, 1)
        if f.loss != "mse" and float(target.std()) > 0:  # losses of order leave the scale open: take that of the labels
            with torch.no_grad():
                answers = self._answers(features, self._weights)
            self._centre, self._unit = answers.mean(1, keepdim=True), answers.std(1, keepdim=True).clamp_min(1e-9)

    def latent(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation over members."""
        self.require_fitted()
        weights = [w.to(features.dtype) for w in self._weights]
        answers = (self._answers(features, weights) - self._centre) / self._unit
        return answers.mean(0), answers.var(0, unbiased=True).clamp_min(1e-12).sqrt()

    def _answers(self, features: Tensor, weights: Weights) -> Tensor:
        embedded = self.encoder(features, weights[:-2])
        return (embedded @ weights[-2]).squeeze(2) + weights[-1]

    def _random(self, shapes: list[tuple[int, ...]], generator: torch.Generator) -> Weights:
        scales = [0.0 if len(shape) == 1 else (2 / shape[0]) ** 0.5 for shape in shapes]
        sizes = [(self.fitting.members, *shape) for shape in shapes]
        drawn = (torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes)
        return [scale * weight for scale, weight in zip(scales, drawn, strict=True)]

    def _start(self, generator: torch.Generator) -> Weights:
        weights = self._random(self.shapes(), generator)
        if self.free_labels is None:
            return weights
        if self._pretrained is None:
            f = self.fitting
            free = self.space.sample(np.random.default_rng([self.seed, 5]), f.free_networks)
            labels = torch.from_numpy(np.asarray(self.free_labels(free), dtype=np.float64))
            labels = (labels - labels.mean(0)) / labels.std(0).clamp_min(1e-9)
            features, labels = self.features(free).to(_INSIDE), labels.to(_INSIDE)
            head = self._random([(f.hidden, labels.shape[1]), (labels.shape[1],)], generator)

            def objective(all_weights: Weights) -> Tensor:
                embedded = self.encoder(features, all_weights[:-2])
                answers = embedded @ all_weights[-2] + all_weights[-1][:, None]
                return mean_squared_error(answers, labels).sum()

            self._pretrained = _descend(weights + head, objective, f, f.free_steps)[:-2]
        return self._pretrained


def _descend(start: Weights, objective: Callable[[Weights], Tensor], f: Fitting, steps: int) -> Weights:
    weights = [w.to(_INSIDE, copy=True).requires_grad_() for w in start]
    optimiser = torch.optim.AdamW(weights, f.learning_rate, weight_decay=f.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(weights).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return [w.detach() for w in weights]
