"""How far training has turned the weights of a network: a signal that needs no image."""

from __future__ import annotations

import numpy as np
import torch

from hwnas.spaces import Population
from hwnas.training.supernet import Supernet, slice_like
from latency_tables import Op
from latency_tables.arrays import Floats


def weight_angles(initial: Supernet, trained: Supernet, population: Population) -> Floats:
    """Radians between initial and trained weights of genotypes [n, genes], all convolutions and linear layers as one.

    ABS (Hu et al. 2020, "Angle-based Search Space Shrinking for Neural Architecture Search"); an op without weights
    adds nothing. `initial` is a supernet of the seed that the other was trained from.
    """
    products = dict[tuple[Op, str], Floats]()
    rows = []
    for arch in population:
        row = np.zeros(3)
        for part in trained.parts(arch):
            if part not in products:
                products[part] = _products(initial, trained, *part)
            row += products[part]
        rows.append(row)
    dot, before, after = np.array(rows).reshape(-1, 3).T
    return np.arccos(np.clip(dot / np.sqrt(before * after), -1, 1))


@torch.no_grad()
def _products(initial: Supernet, trained: Supernet, op: Op, name: str) -> Floats:
    """Inner products of the weights of one part: initial with trained, and each with itself."""
    old, new = (dict(supernet.shared[name].named_parameters()) for supernet in (initial, trained))
    total = np.zeros(3)
    for weight, own in trained.space.build_op(op).named_parameters():
        if own.dim() > 1:
            a, b = (slice_like(full[weight], own.shape).double() for full in (old, new))
            total += [float((a * b).sum()), float((a * a).sum()), float((b * b).sum())]
    return total
