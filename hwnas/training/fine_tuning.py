"""The training of a network that may ship, here or on a worker."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from hwnas.training import (
    Batches,
    Curve,
    Numerics,
    Recipe,
    Supernet,
    Teacher,
    Where,
    recalibrate,
    train_network,
    training_device,
    true_class_probability,
)
from latency_tables.progress import Progress, silent


@dataclass(frozen=True)
class FineTuned:
    """What a training gives: named weights, the curve, the mean probability of the true class on validation."""

    weights: dict[str, Tensor]
    curve: Curve
    true_class_probability: float


@dataclass(frozen=True)
class FineTuning:
    """Starts from the supernet's weights and continues with labels; the same wherever it runs."""

    supernet: Supernet
    batches: Batches
    recipe: Recipe
    seed: int
    device: str = "auto"
    teacher: Teacher | None = None
    numerics: Numerics = field(default_factory=Numerics.current)

    def __call__(self, text: str) -> FineTuned:
        """The job: train the architecture of this text from the beginning, leaving nothing behind."""
        with tempfile.TemporaryDirectory() as scratch:
            return self.train(text, Path(scratch) / "training.safetensors")

    def train(self, text: str, checkpoint: Path, progress: Progress = silent) -> FineTuned:
        """Train the architecture of this text; goes on from `checkpoint`, which is written every epoch."""
        self.numerics.apply()
        network = self.supernet.extract(self.supernet.space.from_text(text))
        data = self.batches.data
        recalibrate(network, self.batches.plain(data.train, limit=512))
        where, teacher = Where(training_device(self.device)), self.teacher
        curve = train_network(network, text, self.batches, self.recipe, self.seed, checkpoint, progress, where, teacher)
        judged = true_class_probability(network, self.batches.plain(data.validation))
        return FineTuned(network.state_dict(), curve, judged)
