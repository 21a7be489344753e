"""A weight-sharing supernet over any chain space: every op borrows slices of its `weight_source`.

The network of an architecture is built from the same modules that ship; only their weights are views into the
shared ones: leading channels, centre of kernels (Cai et al. 2020, once-for-all; without the kernel transform).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hwnas.spaces import Genotype, SearchSpace
from hwnas.spaces.modules import initialise
from latency_tables import HwnasError, Op


def slice_like(shared: Tensor, shape: Iterable[int]) -> Tensor:
    """The part of a shared weight that a smaller one of `shape` uses: leading channels, centre of the kernel."""
    index = []
    for axis, (full, part) in enumerate(zip(shared.shape, shape, strict=True)):
        start = (full - part) // 2 if axis >= 2 else 0
        index.append(slice(start, start + part))
    return shared[tuple(index)]


class Supernet(nn.Module):
    """Shared weights of all networks of `space`, one module a slot and weight source; `HwnasError` unless a chain."""

    def __init__(self, space: SearchSpace, seed: int = 0):
        if not space.is_chain:
            raise HwnasError(f"{space.name} is made of cells, and a supernet shares weights along chains of ops")
        super().__init__()
        self.space = space
        self.shared = nn.ModuleDict()
        self._names: dict[tuple[int, int, Op], str] = {}
        self._skeletons: dict[Op, nn.Module] = {}
        for slot, place in enumerate(space.slots):
            for position, op in ((i, op) for ops in place.options for i, op in enumerate(ops)):
                source = space.weight_source(op)
                if (slot, position, source) not in self._names:
                    name = f"slot{slot}_{sum(1 for key in self._names if key[0] == slot)}"
                    self._names[slot, position, source] = name
                    self.shared[name] = space.build_op(source)
        initialise(self, torch.Generator().manual_seed(seed))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _parts(self, arch: Genotype) -> Iterator[tuple[Op, nn.Module]]:
        """Every op of a network with the shared module it borrows from."""
        options = self.space.slot_options(arch[None])[0]
        for slot, option in enumerate(options):
            for position, op in enumerate(self.space.slots[slot].options[option]):
                yield op, self.shared[self._names[slot, position, self.space.weight_source(op)]]

    def _skeleton(self, op: Op) -> nn.Module:
        """The op's own module without weights and without running statistics: batch norm uses the batch."""
        if op not in self._skeletons:
            with torch.random.fork_rng(devices=[]):  # building draws weights; dropout must not depend on when
                skeleton = self.space.build_op(op)
            for module in skeleton.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.track_running_stats = False
                    module.running_mean = module.running_var = module.num_batches_tracked = None
            self._skeletons[op] = skeleton
        return self._skeletons[op]

    def forward(self, images: Tensor, arch: Genotype) -> Tensor:
        """Logits [n, classes] of one architecture, with the statistics of this batch."""
        x = images
        for op, shared in self._parts(arch):
            skeleton = self._skeleton(op).train(self.training)
            full = dict(shared.named_parameters())
            weights = {name: slice_like(full[name], p.shape) for name, p in skeleton.named_parameters()}
            x = functional_call(skeleton, weights, (x,))
        return x

    def extract(self, arch: Genotype) -> nn.Module:
        """The stand-alone network of an architecture with its slices copied in; recalibrate its batch norm next."""
        network = self.space.build(arch)
        parts = list(self._parts(arch))
        with torch.no_grad():
            for block, (_, shared) in zip(_blocks(network, len(parts)), parts, strict=True):
                full = dict(shared.named_parameters())
                for name, parameter in block.named_parameters():
                    parameter.copy_(slice_like(full[name], parameter.shape))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network


def _blocks(network: nn.Module, count: int) -> list[nn.Module]:
    """The ops of a chain network, in order."""
    blocks = list(network.children())
    if len(blocks) != count:
        raise TypeError("a space with its own build() needs its own way to take weights from a supernet")
    return blocks
