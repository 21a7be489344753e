"""What predictors see of a network: features, views, graphs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latency_tables.additive import Slots
from latency_tables.arrays import Floats, Population


@dataclass(frozen=True)
class View:
    """`encode` turns genotypes [n, genes] into features [n, f].

    `trend` marks a few numbers that accuracy is expected to rise or fall with, even far from what has been seen;
    `share` is how much of the spread of accuracies the view is expected to explain, relative to the other views.
    """

    name: str
    encode: Callable[[Population], Floats]
    trend: bool = False
    share: float = 1.0


def _open(slots: Slots) -> list[int]:
    """The slots that have a choice."""
    return [i for i, slot in enumerate(slots.slots) if len(slot.options) > 1]


def one_hot_options(slots: Slots, population: Population) -> Floats:
    """The options of every slot that has a choice, [n, features], of genotypes [n, genes]."""
    options = slots.options(population)
    columns = [np.eye(len(slots.slots[i].options))[options[:, i]] for i in _open(slots)]
    return np.concatenate(columns, axis=1) if columns else np.zeros((len(population), 0))


def chain_graphs(slots: Slots, population: Population) -> tuple[Floats, Floats]:
    """A chain of the slots that have a choice: edges [n, k, k] and one-hot options [n, k, options]."""
    places = _open(slots)
    nodes = np.eye(max(len(slots.slots[i].options) for i in places))[slots.options(population)[:, places]]
    edges = np.eye(len(places), k=1)
    return np.broadcast_to(edges, (len(population), *edges.shape)), nodes
