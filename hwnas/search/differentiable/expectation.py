"""What networks cost in expectation, when every gene draws its value on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_tables.additive import Factors, Hinged, NotSeparable
from latency_tables.arrays import Floats, Function


def expected(cost: Factors, probabilities: Floats) -> tuple[float, Floats]:
    """The expected cost, and its derivative in the probability of each value of a gene, [genes, values].

    `probabilities` [genes, values] are those of independent genes, 0 beyond the values that a gene has; so the
    derivative is what tables of the gene add when it has the value, on average over the other genes.
    """
    total, slope = cost.constant, np.zeros_like(probabilities)
    for genes, table in cost.tables.items():
        for axis, gene in enumerate(genes):
            others = table
            for other in reversed(range(len(genes))):
                if other != axis:
                    weights = probabilities[genes[other], : table.shape[other]]
                    others = np.tensordot(others, weights, axes=(other, 0))
            slope[gene, : len(others)] += others
            if axis == 0:
                total += float(others @ probabilities[gene, : len(others)])
    return total, slope


def additive_bound(cost: Function, probabilities: Floats) -> Factors:
    """A sum of tables that is nowhere below the cost, for networks of values with a probability above 0.

    A cost that rises faster beyond a knee is a chord from its least load to its greatest one: exact at both ends, and
    the nearer the fewer values are left. One that rises slower is the line of the side that the mean is on. Both are
    exact for one network. Raises `NotSeparable` for a cost that is no sum over genes.
    """
    if isinstance(cost, Factors):
        return cost
    if not isinstance(cost, Hinged):
        raise NotSeparable("a cost does not add up over genes")
    total = cost.additive
    for hinge in cost.hinges:
        if hinge.slope <= 0:
            if expected(hinge.load, probabilities)[0] > hinge.knee:
                total = total.plus(hinge.load.scaled(hinge.slope)).plus_constant(-hinge.slope * hinge.knee)
            continue
        least, most = _range(hinge.load, probabilities)
        low, high = (max(0.0, load - hinge.knee) for load in (least, most))
        rise = (high - low) / (most - least) if most > least else 0.0
        total = total.plus(hinge.load.scaled(hinge.slope * rise)).plus_constant(hinge.slope * (low - rise * least))
    return total


def _range(load: Factors, probabilities: Floats) -> tuple[float, float]:
    """Bounds of a load: the sums of what each table has least and most of."""
    ends = [load.constant, load.constant]
    for genes, table in load.tables.items():
        if genes:
            left = table[np.ix_(*(np.flatnonzero(probabilities[g, :n]) for g, n in _shaped(genes, table)))]
            ends = [ends[0] + float(left.min()), ends[1] + float(left.max())]
    return ends[0], ends[1]


def _shaped(genes: Sequence[int], table: Floats) -> list[tuple[int, int]]:
    return list(zip(genes, table.shape, strict=True))
