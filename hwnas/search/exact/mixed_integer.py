"""The mixed-integer programme of a multiple-choice knapsack with costs that may bend, solved by HiGHS through scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csr_array

from hwnas.spaces import Genotype
from latency_tables.additive.factors import Factors
from latency_tables.additive.gather import Genes
from latency_tables.additive.hinged import Hinge, Hinged
from latency_tables.additive.joint import every_value, shape_of
from latency_tables.arrays import Floats

INFEASIBLE = 2  # scipy's status


@dataclass(frozen=True)
class _Bend:
    """A hinge in the programme: the variable for what is over its knee.

    `switch` is the variable that says whether the load is over the knee; None where nobody gains by overstating it.
    """

    hinge: Hinge
    variable: int
    switch: int | None

    @property
    def over(self) -> tuple[float, float]:
        """Between which ends the load less the knee lies."""
        tables = self.hinge.load.tables.values()
        least, most = (sum(float(end(table)) for table in tables) for end in (np.min, np.max))
        return least - self.hinge.knee, most - self.hinge.knee


class MixedIntegerProgramme:
    """One-hot genes, and one-hot joint values of genes that share a table: whole where the genes are whole."""

    def __init__(self, value: Hinged, costs: Sequence[Hinged]):
        self.cardinalities = value.additive.cardinalities
        self.starts = np.concatenate([[0], np.cumsum(self.cardinalities)])
        sums = list(chain.from_iterable((f.additive, *(h.load for h in f.hinges)) for f in (value, *costs)))
        self.joint: dict[Genes, int] = {}
        self.size = int(self.starts[-1])
        for genes in sorted({genes for f in sums for genes in f.tables if len(genes) > 1}):
            self.joint[genes] = self.size
            self.size += prod(shape_of(self.cardinalities, genes))
        gaining = self._bends(value, 1.0)
        costing = [self._bends(cost, -1.0) for cost in costs]
        self.gain = self._row(value.additive, gaining)
        self.costs = [self._row(cost.additive, bends) for cost, bends in zip(costs, costing, strict=True)]
        self.constants = [cost.additive.constant for cost in costs]
        self.held = [self._held(bend) for bend in chain(gaining, *costing)]
        self.whole, self.most = np.zeros(self.size), np.ones(self.size)
        self.whole[: self.starts[-1]] = 1
        for bend in chain(gaining, *costing):
            self.most[bend.variable] = max(bend.over[1], 0.0)  # HiGHS errs where nothing bounds it and it hardly counts
            if bend.switch is not None:
                self.whole[bend.switch] = 1
        self.equal, self.right = self._consistency()

    def _bends(self, function: Hinged, wish: float) -> list[_Bend]:
        """New variables for the hinges of a function that is wished to be high (1) or low (-1)."""
        bends = []
        for hinge in function.hinges:
            switch = self.size + 1 if wish * hinge.slope > 0 else None
            bends.append(_Bend(hinge, self.size, switch))
            self.size += 1 if switch is None else 2
        return bends

    def _row(self, factors: Factors, bends: Sequence[_Bend] = ()) -> Floats:
        """What each variable adds, [variables]."""
        row = np.zeros(self.size)
        for genes, table in factors.tables.items():
            if genes:
                start = self.joint[genes] if len(genes) > 1 else int(self.starts[genes[0]])
                row[start : start + table.size] += table.ravel()
        for bend in bends:
            row[bend.variable] = bend.hinge.slope
        return row

    def _held(self, bend: _Bend) -> LinearConstraint:
        """What is over the knee is no less than it is, and no more."""
        load, offset = self._row(bend.hinge.load), bend.hinge.load.constant - bend.hinge.knee
        at_least = load.copy()
        at_least[bend.variable] = -1  # load + offset <= over
        rows, most = [at_least], [-offset]
        if bend.switch is not None:
            low, high = bend.over
            at_most, nothing = -load, np.zeros(self.size)
            at_most[[bend.variable, bend.switch]] = 1, -low  # over <= load + offset - low * (1 - switch)
            nothing[[bend.variable, bend.switch]] = 1, -high  # over <= high * switch
            rows, most = [*rows, at_most, nothing], [*most, offset - low, 0.0]
        return LinearConstraint(csr_array(np.array(rows)), -np.inf, most)

    def _consistency(self) -> tuple[csr_array, Floats]:
        """Each gene has one value; the joint values of a table add up to those of its genes."""
        count = len(self.cardinalities)
        # Entries by row and column: the values of a gene; the states that have a value, less that value.
        parts = [(np.repeat(np.arange(count), self.cardinalities), np.arange(self.starts[-1]), 1.0)]
        for genes, start in self.joint.items():
            states = every_value(self.cardinalities, genes)
            for gene in genes:
                values = np.arange(self.cardinalities[gene])
                parts.append((count + states[:, gene], start + np.arange(len(states)), 1.0))
                parts.append((count + values, self.starts[gene] + values, -1.0))
                count += len(values)
        rows, columns = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        signs = np.repeat([sign for *_, sign in parts], [len(row) for row, *_ in parts])
        right = (np.arange(count) < len(self.cardinalities)).astype(np.float64)
        return csr_array((signs, (rows, columns)), shape=(count, self.size)), right

    def solve(self, limits: Sequence[float], tighter: float, time_limit_s: float | None) -> OptimizeResult:
        """Maximise within limits of each cost that are `tighter` than given, as a share of what they are made of."""
        constraints = [LinearConstraint(self.equal, self.right, self.right), *self.held]
        for row, constant, limit in zip(self.costs, self.constants, limits, strict=True):
            # Rows on one scale, for tolerances are absolute.
            size = max(abs(limit - constant), float(np.abs(row).max()), 1e-12)
            most = (limit - constant) / size - tighter
            constraints.append(LinearConstraint(csr_array(row[None] / size), -np.inf, most))
        options = {"mip_rel_gap": 0.0} | ({} if time_limit_s is None else {"time_limit": time_limit_s})
        bounds = Bounds(0, self.most)
        return milp(-self.gain, integrality=self.whole, bounds=bounds, constraints=constraints, options=options)

    def genotype(self, x: Floats) -> Genotype:
        """The value of each gene, [genes]."""
        pairs = zip(self.starts[:-1], self.starts[1:], strict=True)
        return np.array([int(x[low:high].argmax()) for low, high in pairs], dtype=np.int64)
