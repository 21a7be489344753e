"""The training loop that supernets and single networks share: cosine schedule, checkpoint an epoch, exact resume."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hwnas.spaces import SearchSpace
from hwnas.training.batches import Batch, Batches
from hwnas.training.checkpoint import Checkpoint, CheckpointError, load_checkpoint, load_weights, save_checkpoint
from hwnas.training.evaluate import accuracy, recalibrate
from hwnas.training.supernet import Supernet
from latency_tables.progress import Progress, silent


@dataclass(frozen=True)
class Recipe:
    """How to train. `epochs` over the training split, AdamW, one-cycle cosine with a short warm-up."""

    epochs: int
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    warmup: float = 0.1


@dataclass(frozen=True)
class Curve:
    """What an epoch cost and brought: loss on training batches, accuracy on the validation split."""

    epoch: tuple[int, ...] = ()
    loss: tuple[float, ...] = ()
    validation_accuracy: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Sequence[Any]]) -> Curve:
        """The inverse of `dataclasses.asdict`, after a way through JSON."""
        return cls(**{name: tuple(column) for name, column in values.items()})

    def extended(self, epoch: int, loss: float, validation_accuracy: float) -> Curve:
        """The curve with one more point."""
        return Curve((*self.epoch, epoch), (*self.loss, loss), (*self.validation_accuracy, validation_accuracy))


def _learning_rate(recipe: Recipe, progress: float) -> float:
    if progress < recipe.warmup:
        return recipe.learning_rate * (progress + 1e-3) / recipe.warmup
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup)))


def _optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in checkpoint.tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def trained_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The module's own tensors in a training checkpoint, without the optimizer's."""
    return {k.removeprefix("model."): v for k, v in checkpoint.tensors.items() if k.startswith("model.")}


def _checkpoint_of(path: Path, identity: dict[str, Any]) -> Checkpoint | None:
    """Where this very training was left, or None: a damaged checkpoint or another training's is not gone on with."""
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError:
        return None
    return checkpoint if checkpoint.metadata.get("identity") == identity else None


def _train(
    module: nn.Module,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    path: Path,
    identity: dict[str, Any],
    step: Callable[[Batch, np.random.Generator], Tensor],
    validate: Callable[[], float],
    progress: Progress,
) -> Curve:
    """Train for the recipe's epochs, resuming from `path` when it is a checkpoint of the same work."""
    optimizer = torch.optim.AdamW(module.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    identity = {**identity, "recipe": asdict(recipe), "seed": seed, "data": batches.data.digest}
    curve = Curve()
    checkpoint = _checkpoint_of(path, identity)
    if checkpoint is not None:
        load_weights(module, trained_weights(checkpoint), path)
        _restore_optimizer(optimizer, checkpoint)
        curve = Curve.from_json(checkpoint.metadata["curve"])
    steps = batches.steps_per_epoch()
    for epoch in range(len(curve.epoch), recipe.epochs):
        rng = np.random.default_rng([seed, epoch, 1])
        torch.manual_seed(seed * 100_003 + epoch)  # dropout
        module.train()
        losses = []
        for i, batch in enumerate(batches.training(seed, epoch)):
            progress(epoch * steps + i, recipe.epochs * steps, f"epoch {epoch + 1} of {recipe.epochs}")
            for group in optimizer.param_groups:
                group["lr"] = _learning_rate(recipe, (epoch + i / steps) / recipe.epochs)
            optimizer.zero_grad(set_to_none=True)
            losses.append(float(step(batch, rng)))
            optimizer.step()
        curve = curve.extended(epoch + 1, float(np.mean(losses)), validate())
        tensors = {f"model.{k}": v for k, v in module.state_dict().items()}
        save_checkpoint(
            path, {**tensors, **_optimizer_state(optimizer)}, {"identity": identity, "curve": asdict(curve)}
        )
    progress(recipe.epochs * steps, recipe.epochs * steps, "trained")
    return curve


def _learned(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    """The loss of a batch, after its gradients were added."""
    loss = functional.cross_entropy(logits, batch.labels, label_smoothing=recipe.label_smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def train_supernet(
    space: SearchSpace, batches: Batches, recipe: Recipe, seed: int, path: Path, progress: Progress = silent
) -> tuple[Supernet, Curve]:
    """Train shared weights by the sandwich rule: the largest, the smallest and a random network every step.

    The extremes bound what lies between them (Yu & Huang 2019). All learn from the labels: in the few hundred steps
    that a CPU has time for, the largest network is too weak a teacher for the in-place distillation of the paper.
    The curve's accuracy is the largest network's. Resumes from `path`.
    """
    supernet = Supernet(space, seed)

    def step(batch: Batch, rng: np.random.Generator) -> Tensor:
        archs = space.sandwich(rng)
        return torch.stack([_learned(supernet(batch.images, arch), batch, recipe) for arch in archs]).mean()

    def validate() -> float:
        largest = space.sandwich(np.random.default_rng(0))[0]
        network = supernet.extract(largest)
        recalibrate(network, batches.plain(batches.data.train, limit=512))
        return accuracy(network, batches.plain(batches.data.validation))

    identity = {"supernet": space.name, "classes": space.num_classes}
    curve = _train(supernet, batches, recipe, seed, path, identity, step, validate, progress)
    return supernet, curve


def train_network(
    network: nn.Module,
    name: str,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    path: Path,
    progress: Progress = silent,
) -> Curve:
    """Train one network on the labels, in place; `name` (its architecture text) guards the checkpoint at `path`."""

    def step(batch: Batch, rng: np.random.Generator) -> Tensor:
        return _learned(network(batch.images), batch, recipe)

    def validate() -> float:
        return accuracy(network, batches.plain(batches.data.validation))

    return _train(network, batches, recipe, seed, path, {"network": name}, step, validate, progress)
