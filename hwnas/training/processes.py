"""One training shared by the processes that torchrun started: each takes its part of every batch.

What comes out is what one process would have computed, up to the order of sums: the statistics of batch norm are those
of the whole batch, and dropout draws the whole batch's mask.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from latency_tables import HwnasError

T = TypeVar("T")
_PATIENCE = timedelta(days=30)  # followers wait for as long as the leader profiles or searches


class ProcessLost(HwnasError):
    """Another process of the same training has ended."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; alone unless torchrun started it."""

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Processes:
        """Those that were joined, see `joined`."""
        if distributed.is_available() and distributed.is_initialized():
            return cls(distributed.get_rank(), distributed.get_world_size())
        return cls()

    @property
    def alone(self) -> bool:
        """Whether there is nobody to share with."""
        return self.count == 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that reads and writes files and shows progress."""
        return self.rank == 0

    def from_leader(self, value: T) -> T:
        """The leader's value, in every process; it is pickled."""
        if self.alone:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def average_gradients(self, module: nn.Module) -> None:
        """Set every gradient to its mean over the processes, which all have gradients of the same parameters."""
        if self.alone:
            return
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def sums(self, values: Iterable[float]) -> list[float]:
        """Each value summed over the processes."""
        total = torch.tensor(list(values), dtype=torch.float64)
        if not self.alone:
            total = total.to("cuda" if distributed.get_backend() == "nccl" else "cpu")
            distributed.all_reduce(total)
        return [float(v) for v in total]

    def share_layers(self, module: nn.Module) -> nn.Module:
        """The module with batch norm and dropout, in place, as of the whole batch."""
        if not self.alone:
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.__class__ = _BatchNormOfAll
                elif type(layer) is nn.Dropout:
                    layer.__class__ = _DropoutOfAll
        return module


class _BatchNormOfAll(nn.BatchNorm2d):
    """Statistics over all processes; torch's own SyncBatchNorm does not run on CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training and self.running_mean is not None:
            return super().forward(x)
        count = distributed.get_world_size()
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        mean = _sum(wide.mean((0, 2, 3))) / count
        centred = wide - mean.view(1, -1, 1, 1)
        variance = _sum(centred.square().mean((0, 2, 3))) / count
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            seen = x.numel() / x.shape[1] * count
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * seen / (seen - 1), self.momentum)
                if self.num_batches_tracked is not None:
                    self.num_batches_tracked.add_(1)
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return normal.to(x.dtype)


class _Sum(torch.autograd.Function):
    """Over the processes; gradients flow back to all of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class _DropoutOfAll(nn.Dropout):
    """Draws the mask of the whole batch and keeps the rows of this process."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        rank, count = distributed.get_rank(), distributed.get_world_size()
        mask = functional.dropout(torch.ones((count * len(x), *x.shape[1:]), dtype=x.dtype, device=x.device), self.p)
        return x * mask[rank * len(x) : (rank + 1) * len(x)]


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; leave them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    # An optimiser imports it, and within a group it would keep the group, whose threads abort a process that ends.
    import torch._dynamo

    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
    try:
        yield Processes.current()
    finally:
        leave()


def leave() -> None:
    """Be alone from now on; the others notice when they next share something."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


@contextmanager
def noticing_loss() -> Iterator[None]:
    """Turn what torch raises when another process has died into `ProcessLost`."""
    try:
        yield
    except RuntimeError as e:
        message = " ".join(str(e).split())
        if not isinstance(e, distributed.DistError) and not any(word in message for word in ("gloo", "NCCL")):
            raise
        raise ProcessLost("another process of this training has ended; the same command resumes it") from e
