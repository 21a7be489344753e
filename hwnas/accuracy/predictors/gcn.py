"""Graph convolutions over a network's ops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hwnas.accuracy.predictors._ensemble import Ensemble, Fitting, Weights
from hwnas.spaces import Population

_LAYERS = 2
_NARROW = Fitting(hidden=32)  # ranks as well as 64, in half the time


@dataclass(eq=False)
class GCNEnsemble(Ensemble):
    """Two layers of graph convolution along and against the edges, then the mean over nodes.

    Kipf & Welling 2017; for architectures, with a node for the whole, Shi et al. 2020 (BONAS). Differentiable in the
    edges as well as in the ops.
    """

    fitting: Fitting = _NARROW

    @cached_property
    def _sizes(self) -> tuple[int, int]:
        """Nodes, and numbers that describe each: its op, and which node it is."""
        _, nodes = self.space.graphs(self.space.sample(np.random.default_rng(0), 1))
        return nodes.shape[1], nodes.shape[2] + nodes.shape[1]

    def features(self, population: Population) -> Tensor:
        """Adjacency and node descriptions, flattened, [n, k * k + k * c]."""
        edges, nodes = self.space.graphs(population)
        n, k, _ = nodes.shape
        described = np.concatenate([nodes, np.broadcast_to(np.eye(k), (n, k, k))], axis=2)
        return torch.from_numpy(np.concatenate([edges.reshape(n, -1), described.reshape(n, -1)], axis=1))

    def shapes(self) -> list[tuple[int, ...]]:
        """Own, incoming and outgoing weights of every layer; one layer over what was gathered."""
        (_, c), hidden = self._sizes, self.fitting.hidden
        shapes: list[tuple[int, ...]] = []
        for layer in range(_LAYERS):
            width = c if layer == 0 else hidden
            shapes += [(width, hidden), (width, hidden), (width, hidden), (hidden,)]
        return [*shapes, (hidden, hidden), (hidden,)]

    def encoder(self, features: Tensor, weights: Weights) -> Tensor:
        """[members, n, hidden]."""
        k, c = self._sizes
        edges = features[:, : k * k].reshape(-1, k, k)
        around = torch.cat([_averaging(edges.transpose(1, 2)), _averaging(edges)], 1)  # incoming, then outgoing
        state = features[:, k * k :].reshape(1, -1, k, c)
        for layer in range(_LAYERS):
            # Gathered before it is weighted, so that a layer is one product per member rather than one per network.
            gathered = _gathered(state, around)
            own_from_to, bias = torch.cat(weights[4 * layer : 4 * layer + 3], 1), weights[4 * layer + 3]
            state = torch.nn.functional.gelu(gathered @ own_from_to + bias[:, None])
            state = state.reshape(len(bias), -1, k, bias.shape[1])
        last, last_bias = weights[-2:]
        return torch.nn.functional.gelu(state.mean(2) @ last + last_bias[:, None])


def _gathered(state: Tensor, around: Tensor) -> Tensor:
    """Every node's own state beside the sums `around` it [n, 2k, k]: [members, n * k, 3 * width]."""
    members, n, k, width = state.shape
    joined = state.permute(1, 2, 0, 3).reshape(n, k, members * width)
    sums = (around @ joined).reshape(n, 2, k, members, width).permute(3, 0, 2, 1, 4)
    return torch.cat([state[..., None, :], sums], 3).reshape(members, n * k, 3 * width)


def _averaging(edges: Tensor) -> Tensor:
    """Rows divided by their sums, [n, k, k]; rows without an edge stay zero."""
    return edges / edges.sum(2, keepdim=True).clamp_min(1.0)
