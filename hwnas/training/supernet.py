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
from hwnas.training.processes import Processes
from hwnas.training.small_convolutions import guard_small_convolutions
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

    def parts(self, arch: Genotype) -> Iterator[tuple[Op, str]]:
        """Every op of a network with the name of the module of `shared` that it borrows from."""
        options = self.space.slot_options(arch[None])[0]
        for slot, option in enumerate(options):
            yield from self._parts_of(slot, self.space.slots[slot].options[option])

    def _parts_of(self, slot: int, ops: Iterable[Op]) -> Iterator[tuple[Op, str]]:
        for position, op in enumerate(ops):
            yield op, self._names[slot, position, self.space.weight_source(op)]

    def _skeleton(self, op: Op) -> nn.Module:
        """The op's own module without weights and without running statistics: batch norm uses the batch."""
        if op not in self._skeletons:
            with torch.random.fork_rng(devices=[]):  # building draws weights; dropout must not depend on when
                skeleton = self.space.build_op(op)
            for module in skeleton.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.track_running_stats = False
                    module.running_mean = module.running_var = module.num_batches_tracked = None
            self._skeletons[op] = Processes.current().share_layers(guard_small_convolutions(skeleton))
        return self._skeletons[op]

    def forward(self, images: Tensor, arch: Genotype) -> Tensor:
        """Logits [n, classes] of one architecture, with the statistics of this batch."""
        return self._through(self.parts(arch), images)

    def _through(self, parts: Iterable[tuple[Op, str]], x: Tensor) -> Tensor:
        for op, name in parts:
            skeleton = self._skeleton(op).train(self.training)
            full = dict(self.shared[name].named_parameters())
            weights = {weight: slice_like(full[weight], p.shape) for weight, p in skeleton.named_parameters()}
            x = functional_call(skeleton, weights, (x,))
        return x

    def mixed(self, images: Tensor, weights: Tensor) -> Tensor:
        """Logits [n, classes] of a mixture: every slot adds up what its options answer, by their weights.

        `weights` [genes, values] are of the values of each gene, and carry a gradient back (Liu et al. 2019, "DARTS:
        Differentiable Architecture Search"); an option of several genes has the product of theirs, and one without
        weight is not computed. Raises `HwnasError` where options of a slot differ in the shape of their output.
        """
        x, cardinalities = images, self.space.cardinalities
        for number, slot in enumerate(self.space.slots):
            joint = torch.ones(1, dtype=weights.dtype, device=weights.device)
            for gene in slot.genes or ():
                joint = (joint[:, None] * weights[gene, : cardinalities[gene]]).flatten()
            shares = joint.new_zeros(len(slot.options)).index_add(0, torch.from_numpy(slot.option_of), joint)
            answers = [
                share * self._through(self._parts_of(number, ops), x)
                for share, ops in zip(shares, slot.options, strict=True)
                if share > 0
            ]
            if len({answer.shape for answer in answers}) > 1:
                raise HwnasError(f"options of slot {number} of {self.space.name} differ in shape and cannot be mixed")
            x = torch.stack(answers).sum(dim=0)
        return x

    @torch.no_grad()
    def inherit(self, parent: Supernet) -> None:
        """Take over every shared module of a supernet of the whole space; raises `HwnasError` when one is not there."""
        for key, name in self._names.items():
            if key not in parent._names:
                raise HwnasError(f"{key[2].key} of {self.space.name} has no weights in the supernet to start from")
            self.shared[name].load_state_dict(parent.shared[parent._names[key]].state_dict())

    def extract(self, arch: Genotype) -> nn.Module:
        """The stand-alone network of an architecture with its slices copied in; recalibrate its batch norm next."""
        network = self.space.build(arch)
        names = [name for _, name in self.parts(arch)]
        for block, name in zip(_blocks(network, len(names)), names, strict=True):
            self._lend(name, block)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def block(self, op: Op, name: str) -> nn.Module:
        """The stand-alone module of one part of a network, as `extract` has it."""
        block = self.space.build_op(op)
        self._lend(name, block)
        return block.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @torch.no_grad()
    def _lend(self, name: str, block: nn.Module) -> None:
        full = dict(self.shared[name].named_parameters())
        for weight, parameter in block.named_parameters():
            parameter.copy_(slice_like(full[weight], parameter.shape))


def _blocks(network: nn.Module, count: int) -> list[nn.Module]:
    """The ops of a chain network, in order."""
    blocks = list(network.children())
    if len(blocks) != count:
        raise TypeError("a space with its own build() needs its own way to take weights from a supernet")
    return blocks
