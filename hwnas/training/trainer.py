"""The training loop that supernets and single networks share, on any device, alone or in several processes.

A checkpoint per epoch, and every few minutes within one, from which the same training goes on exactly where it was: all
randomness of a step follows from the seed, the epoch and the step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hwnas.training.batches import Batch
from hwnas.training.checkpoint import (
    Checkpoint,
    CheckpointError,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    tensors_under,
)
from hwnas.training.curve import Curve
from hwnas.training.processes import Processes, joined, leave, noticing_loss
from hwnas.training.recipe import Recipe
from hwnas.training.small_convolutions import guard_small_convolutions
from hwnas.training.work import Where, Work
from latency_tables import HwnasError
from latency_tables.progress import Progress, silent

T = TypeVar("T")
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
_LOOK_EVERY = 20  # steps; looking at a loss waits for the device


class TrainingError(HwnasError):
    """A training that cannot go on as its recipe says."""


def train(work: Work, path: Path, progress: Progress = silent, where: Where | None = None) -> Curve:
    """Train `work.module` in place for the recipe's epochs; resumes from `path` if it is a checkpoint of the same work.

    Several processes share it, see `share_trainings`. Leaves the weights on the CPU, and `path` with another
    suffix, .csv, for people. Raises `TrainingError` when the loss diverges or memory is short, `ProcessLost` when
    another process dies.
    """
    job = _Job(work, where or Where())
    with noticing_loss():
        return Processes.current().from_leader(job).run(path, progress)


def share_trainings(command: Callable[[], T]) -> T | None:
    """Do `command` and return its result; where torchrun started several processes, in the first of them.

    The others take part in every training of the first, and return None when it is done.
    """
    with joined() as processes, noticing_loss():
        if processes.leads:
            try:
                return command()
            finally:
                Processes.current().from_leader(None)
        while (job := processes.from_leader(None)) is not None:
            job.run(Path(), silent)
        return None


@dataclass(frozen=True)
class _Job:
    work: Work
    where: Where

    def run(self, path: Path, progress: Progress) -> Curve:
        loop = _Loop(self.work, self.where, path, progress)
        try:
            return loop.run()
        except BaseException:
            leave()  # the others may wait for a sum that will not come
            raise
        finally:
            self.work.module.cpu()


class _Loop:
    """One training in this process."""

    def __init__(self, work: Work, where: Where, path: Path, progress: Progress):
        self.work, self.where, self.path, self.progress = work, where, path, progress
        self.recipe, self.processes = work.recipe, Processes.current()
        if work.batches.size % self.processes.count:
            raise TrainingError(
                f"a batch of {work.batches.size} images cannot be shared equally by {self.processes.count} processes: "
                f"set batch to a multiple of {self.processes.count} in the recipe"
            )
        self.module = self.processes.share_layers(guard_small_convolutions(work.module.to(where.device)))
        self.optimizer = optimizer_of(self.module, self.recipe)
        self.scaler = torch.amp.GradScaler(where.device.type, enabled=self.recipe.precision == "fp16")
        self.average: AveragedModel | None = None
        if self.recipe.ema:
            rule = get_ema_multi_avg_fn(self.recipe.ema)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(self.module, multi_avg_fn=rule, use_buffers=True)
        if self.recipe.compile:
            self.module.compile()
        data = work.batches.data.digest
        self.identity = {**work.identity, "recipe": asdict(self.recipe), "seed": work.seed, "data": data}
        self.curve, self.first_step, self.losses = Curve(), 0, list[Tensor]()

    def run(self) -> Curve:
        self._resume()
        recipe, steps = self.recipe, self.work.batches.steps_per_epoch()
        saved = time.monotonic()
        for epoch in range(len(self.curve.epoch), recipe.epochs):
            self.module.train()
            for step, batch in enumerate(self._batches(epoch), start=self.first_step):
                self.progress(epoch * steps + step, recipe.epochs * steps, f"epoch {epoch + 1} of {recipe.epochs}")
                self.losses.append(self._step(batch, epoch, step, steps))
                if step % _LOOK_EVERY == 0:
                    self._require_finite()
                if time.monotonic() - saved > self.where.checkpoint_s and self.processes.leads:
                    self._save(step + 1)
                    saved = time.monotonic()
            self._end_epoch(epoch)
        self.progress(recipe.epochs * steps, recipe.epochs * steps, "trained")
        return self.curve

    def _batches(self, epoch: int) -> Iterator[Batch]:
        part = (self.processes.rank, self.processes.count)
        return self.work.batches.training(self.work.seed, epoch, self.first_step, part, self.where.device)

    def _step(self, batch: Batch, epoch: int, step: int, steps: int) -> Tensor:
        """Learn from a batch; its mean loss, still on the device."""
        recipe, progress = self.recipe, (epoch + step / steps) / self.recipe.epochs
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(progress)
        self.optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(int(np.random.SeedSequence([self.work.seed, epoch, step]).generate_state(1)[0]))  # dropout
        try:
            parts = [self._learn(part, epoch, step, progress) for part in batch.parts(recipe.accumulate)]
        except torch.OutOfMemoryError as e:
            raise TrainingError(self._smaller(batch, epoch, step, progress)) from e
        self.processes.average_gradients(self.module)
        self.scaler.unscale_(self.optimizer)
        self.work.stepped(self.module)
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.module.parameters(), recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.module)
        return torch.stack(parts).mean()

    def _learn(self, part: Batch, epoch: int, step: int, progress: float) -> Tensor:
        """Add the gradients of a part of a batch; its mean loss."""
        rng = np.random.default_rng([self.work.seed, epoch, step, 1])
        losses: list[Tensor] = []
        computed = self.work.losses(self.module, part, rng, progress)
        while True:
            dtype = _AUTOCAST.get(self.recipe.precision)
            with torch.autocast(self.where.device.type, dtype, enabled=dtype is not None):
                loss = next(computed, None)
            if loss is None:
                return torch.stack(losses).mean()
            self.scaler.scale(loss / self.recipe.accumulate).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())

    def _smaller(self, batch: Batch, epoch: int, step: int, progress: float) -> str:
        """Which batch memory would have been enough for, found by halving."""
        images, fits = len(batch.labels), len(batch.labels)
        while fits > 1:
            fits //= 2
            self.optimizer.zero_grad(set_to_none=True)
            if self.where.device.type == "cuda":
                torch.cuda.empty_cache()
            try:
                self._learn(batch.parts(math.ceil(images / fits))[0], epoch, step, progress)
            except torch.OutOfMemoryError:
                continue
            parts = self.recipe.accumulate * math.ceil(images / fits)
            return (
                f"{images} images at a time do not fit into the memory of {self.where.device}, {fits} do: "
                f"set accumulate = {parts} in the recipe, or a smaller batch"
            )
        return f"not even one image fits into the memory of {self.where.device}"

    def _require_finite(self) -> None:
        if self.losses and not math.isfinite(float(self.losses[-1])):
            kept = "" if not self.path.name or not self.path.exists() else f"; the last good checkpoint is {self.path}"
            raise TrainingError(
                f"the loss is no longer finite in epoch {len(self.curve.epoch) + 1}, step {len(self.losses)}: "
                f"lower the learning rate of {self.recipe.learning_rate:g} or set clip_norm{kept}"
            )

    def _end_epoch(self, epoch: int) -> None:
        self._require_finite()
        judged = self.module if self.average is None else self.average.module
        right, seen = self.processes.sums(self.work.right_answers(judged, self.processes))
        loss = self.processes.sums([float(torch.stack(self.losses).mean())])[0] / self.processes.count
        self.curve = self.curve.extended(epoch + 1, loss, right / seen)
        self.first_step, self.losses = 0, []
        if self.average is not None and epoch + 1 == self.recipe.epochs:
            self.module.load_state_dict(self.average.module.state_dict())
        if self.processes.leads:
            self._save(0)
            self.curve.write_csv(self.path.with_suffix(".csv"))
            if self.where.tensorboard:
                self.curve.write_tensorboard(self.path.with_suffix(".tensorboard"))

    def _save(self, step: int) -> None:
        """Where the training is: `step` steps into the epoch after the curve's last."""
        self._require_finite()
        tensors = {f"model.{k}": v for k, v in self.module.state_dict().items()}
        tensors |= _optimizer_state(self.optimizer)
        tensors |= {f"work.{k}": v for k, v in self.work.state().items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        if step:
            tensors["losses"] = torch.stack(self.losses)
        about = {"identity": self.identity, "curve": asdict(self.curve), "step": step}
        if self.scaler.is_enabled():
            about["scaler"] = self.scaler.state_dict()
        save_checkpoint(self.path, tensors, about)

    def _resume(self) -> None:
        found = _checkpoint_of(self.path, self.identity) if self.processes.leads else None
        checkpoint = self.processes.from_leader(found)
        if checkpoint is None:
            return
        load_weights(self.module, tensors_under("model.", checkpoint), self.path)
        _restore_optimizer(self.optimizer, checkpoint)
        self.work.restore(tensors_under("work.", checkpoint))
        if self.average is not None:
            self.average.load_state_dict(tensors_under("average.", checkpoint))
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(checkpoint.metadata["scaler"])
        self.curve, self.first_step = Curve.from_json(checkpoint.metadata["curve"]), checkpoint.metadata["step"]
        if self.first_step:
            self.losses = list(checkpoint.tensors["losses"].to(self.where.device))


def optimizer_of(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of all parameters; those of vectors are a group of their own where they do not decay."""
    decaying, others = (
        [p for p in module.parameters() if (p.ndim >= 2 or recipe.decay_all) == decays] for decays in (True, False)
    )
    groups: list[dict[str, Any]] = [{"params": decaying}]
    if others:
        groups.append({"params": others, "weight_decay": 0.0})
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, recipe.learning_rate, weight_decay=recipe.weight_decay)
    momentum, decay = recipe.momentum, recipe.weight_decay
    return torch.optim.SGD(groups, recipe.learning_rate, momentum, weight_decay=decay, nesterov=momentum > 0)


def _optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, checkpoint: Checkpoint) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors_under("optimizer.", checkpoint).items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _checkpoint_of(path: Path, identity: dict[str, Any]) -> Checkpoint | None:
    """Where this very training was left, or None: a damaged checkpoint or another training's is not gone on with."""
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError:
        return None
    return checkpoint if checkpoint.metadata.get("identity") == identity else None
