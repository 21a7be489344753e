"""Multiply-accumulates and parameters, as torch itself counts them."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(module: nn.Module, in_shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of one input [1, *in_shape]: half of FlopCounterMode's FLOPs. Needs no memory."""
    # Batch norm counts for nothing, but takes most of the time on meta.
    shadow = without_norms(nn.Sequential(copy.deepcopy(module).to("meta"))).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shadow(torch.empty(1, *in_shape, device="meta"))
    return int(counter.get_total_flops()) // 2


def without_norms(network: nn.Module) -> nn.Module:
    """The network itself, identities in the place of the batch norms inside it."""
    for layer in list(network.modules()):
        for name, child in layer.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(layer, name, nn.Identity())
    return network


def count_params(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters())
