"""A weight-sharing supernet over any chain space: every op borrows slices of its `weight_source`.

The network of an architecture is built from the same modules that ship; only their weights are views into the
shared ones: leading channels, centre of kernels (Cai et al. 2020, once-for-all; without the kernel transform).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from hwnas.spaces import Genotype, SearchSpace, Subspace
from hwnas.spaces.modules import Parallel, initialise
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


Part = tuple[Op, str]
"""An op, and the name of the module whose weights it borrows."""


@dataclass(frozen=True)
class Step:
    """What stands at one place of a network: a chain of parts, and branches beside it."""

    chain: tuple[Part, ...]
    branches: tuple[Part, ...] = ()


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

    def steps(self, arch: Genotype) -> Iterator[Step]:
        """The parts of a network, in order."""
        for (slot, ops), *branches in self.space.at_places(arch):
            first = self._parts_of(slot, ops)
            if branches:
                yield Step(first, tuple(part for slot, ops in branches for part in self._parts_of(slot, ops)))
            else:
                yield from (Step((part,)) for part in first)

    def parts(self, arch: Genotype) -> Iterator[Part]:
        """Every op of a network with the name of the module of `shared` that it borrows from."""
        for step in self.steps(arch):
            yield from (*step.chain, *step.branches)

    def _parts_of(self, slot: int, ops: Iterable[Op]) -> tuple[Part, ...]:
        return tuple((op, self._names[slot, i, self.space.weight_source(op)]) for i, op in enumerate(ops))

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
        x = images
        for step in self.steps(arch):
            before = self._through(step.chain, x)
            if step.branches:  # an identity around every branch is one around their mean
                mean = torch.stack([self._through((part,), x) for part in step.branches]).mean(dim=0)
                before = before + mean if step.chain else mean
            x = before
        return x

    def _through(self, parts: Iterable[Part], x: Tensor) -> Tensor:
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
        weight is not computed. Of branches the weights are of their being there, and all are computed. Raises
        `HwnasError` where options of a slot differ in the shape of their output.
        """
        x = images
        for first, *branches in self.space.places:
            before = self._mixed_slot(first, self._shares(first, weights), x)
            there = [
                (share, self._through(self._parts_of(slot, ops), x))
                for slot in branches
                for ops, share in zip(self.space.slots[slot].options, self._shares(slot, weights), strict=True)
                if ops
            ]
            if there:
                shares, answers = (torch.stack(each) for each in zip(*there, strict=True))
                identity = 0 if self.space.slots[first].options[0] else x  # which is in the answers too
                present = shares.sum()  # one alone is not divided by itself, or it would seem to make no difference
                share_of_mean = shares / torch.where(present > 1, present, 1.0)
                x = before + torch.tensordot(share_of_mean, answers - identity, dims=1)
            else:
                x = before
        return x

    def _shares(self, slot: int, weights: Tensor) -> Tensor:
        """The weight of each option of a slot."""
        place, cardinalities = self.space.slots[slot], self.space.cardinalities
        joint = torch.ones(1, dtype=weights.dtype, device=weights.device)
        for gene in place.genes or ():
            joint = (joint[:, None] * weights[gene, : cardinalities[gene]]).flatten()
        return joint.new_zeros(len(place.options)).index_add(
            0, torch.from_numpy(place.option_of).to(joint.device), joint
        )

    def _mixed_slot(self, slot: int, shares: Tensor, x: Tensor) -> Tensor:
        options = self.space.slots[slot].options
        if len(options) == 1:
            return self._through(self._parts_of(slot, options[0]), x)
        answers = [
            share * self._through(self._parts_of(slot, ops), x)
            for share, ops in zip(shares, options, strict=True)
            if share > 0
        ]
        if len({answer.shape for answer in answers}) > 1:
            raise HwnasError(f"options of slot {slot} of {self.space.name} differ in shape and cannot be mixed")
        return torch.stack(answers).sum(dim=0)

    @torch.no_grad()
    def inherit(self, parent: Supernet, known_only: bool = False) -> None:
        """Take over the shared modules of a supernet of the whole space, or of another part of it.

        Raises `HwnasError` when one is not there, unless `known_only`.
        """
        for key, name in self._names.items():
            if key in parent._names:
                self.shared[name].load_state_dict(parent.shared[parent._names[key]].state_dict())
            elif not known_only:
                raise HwnasError(f"{key[2].key} of {self.space.name} has no weights in the supernet to start from")

    def extract(self, arch: Genotype) -> nn.Module:
        """The stand-alone network of an architecture with its slices copied in; recalibrate its batch norm next."""
        if _builds_its_own(self.space):
            raise TypeError("a space with its own build() needs its own way to take weights from a supernet")
        network = self.space.assemble(
            arch, lambda slot, i, op: self._lent(op, self._names[slot, i, self.space.weight_source(op)])
        )
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def block(self, step: Step) -> nn.Module:
        """The stand-alone module of one step of a network, as `extract` has it."""
        chain, branches = ([self._lent(*part) for part in parts] for parts in (step.chain, step.branches))
        block = Parallel(chain, branches) if branches else nn.Sequential(*chain)
        return block.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    @torch.no_grad()
    def _lent(self, op: Op, name: str) -> nn.Module:
        block = self.space.build_op(op)
        full = dict(self.shared[name].named_parameters())
        for weight, parameter in block.named_parameters():
            parameter.copy_(slice_like(full[weight], parameter.shape))
        return block


def _builds_its_own(space: SearchSpace) -> bool:
    """Whether its networks may be other than their ops put together by `assemble`."""
    if isinstance(space, Subspace):
        return _builds_its_own(space.whole)
    return type(space).build is not SearchSpace.build
