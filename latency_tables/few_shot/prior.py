"""What is believed of a device's op latencies before a single network was timed on it.

An additive table is a latency for each column of a feature matrix and, last, one for all networks: [columns + 1].
The prior is a Gaussian over those, in units of the mean network of the space: a mean table, and the ways in which a
device may depart from it, each a random effect. Tables of other devices give the mean and their mixtures; what ops
cost on paper (multiply-accumulates, weights, ...) and what they have in common (kernel, layer, ...) carry a timing
over to ops that it did not contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latency_tables.arrays import Floats
from latency_tables.errors import TableError

Ints = NDArray[np.int64]


def design(features: Floats) -> Floats:
    """Features [n, columns] (how often each op occurs) with the column of the constant, [n, columns + 1]."""
    return np.column_stack([features, np.ones(len(features))])


@dataclass(frozen=True)
class Effect:
    """One way to depart from the mean: table += root @ a with a ~ N(0, variance), root [columns + 1, r].

    `variance` is a first guess, the timings have the last word: its logarithm is believed to `spread` (one sigma).
    """

    name: str
    root: Floats
    variance: float
    spread: float = 1.0


@dataclass(frozen=True)
class OpPrior:
    """Mean table [columns + 1], the last entry the constant, and the effects; one unit is the mean network."""

    mean: Floats
    effects: tuple[Effect, ...]

    def root(self, variances: Floats | None = None) -> Floats:
        """All effects side by side, scaled so that their amounts are standard normal, [columns + 1, r].

        `variances` [effects]: by default the first guesses.
        """
        known = [e.variance for e in self.effects] if variances is None else variances
        return np.hstack([np.sqrt(v) * e.root for e, v in zip(self.effects, known, strict=True)])


# First guesses of the effects' variances, by leave-one-device-out on development devices (benchmarks/few_shot.py).
_SCALE = (0.15, 1.0)
_MIXTURE = (3.0, 1.0)
_COST_BESIDE_TABLES, _COST_ALONE = (0.003, 2.0), (0.05, 1.0)
_GROUPS_BESIDE_TABLES, _GROUPS_ALONE = (0.01, 1.0), (0.08, 1.5)  # of all groups together
_OWN = (5e-4, 2.0)
_FIXED = (0.03, 1.0)
# No op is believed to be free: this share of an average op at least. No constant is believed to be below this one.
_LEAST_OP, _LEAST_FIXED = 0.03, 0.1


def op_prior(
    sample: Floats,
    costs: Floats,
    groups: Sequence[Ints] = (),
    tables: Sequence[Floats] = (),
    constant: bool = True,
) -> OpPrior:
    """The prior of a space whose random networks have the features `sample` [m, columns].

    `costs` [c, columns] are what ops cost on paper, in any unit; `groups` label columns [columns], ops with the same
    label depart from the mean together; `tables` are other devices'. Without a `constant` the time that every
    network pays is left to the columns that all of them share. Raises `TableError` for a table that predicts no time.
    """
    typical = np.append(sample.mean(axis=0), float(constant))
    # What every network has alike (stem, head, the constant): no timing can tell it apart.
    fixed = np.append(np.ptp(sample, axis=0) < 1e-12, constant)
    free = np.append(~fixed[:-1], False)
    on_paper = [np.append(cost, 0.0) for cost in costs] or [free.astype(np.float64)]
    paper = _relative([c for c in (*on_paper, fixed.astype(np.float64)) if typical @ c > 0], typical)
    known = _relative(tables, typical) if tables else paper
    mean = known.mean(axis=0)
    size = np.abs(mean) + _LEAST_OP / max(typical[free].sum(), 1.0)
    effects = [Effect("scale", mean[:, None], *_SCALE)]
    if tables:
        effects.append(Effect("mixture", (known - mean).T / np.sqrt(len(known)), *_MIXTURE))
    # Each cost for itself: a device that is like no other is often bound by one of them.
    for i, cost in enumerate(paper - mean):
        effects.append(Effect(f"cost {i}", cost[:, None], *(_COST_BESIDE_TABLES if tables else _COST_ALONE)))
    together, spread = _GROUPS_BESIDE_TABLES if tables else _GROUPS_ALONE
    for i, labels in enumerate(groups):
        alike = np.append(labels, -1)[:, None] == np.unique(labels)[None]
        root = alike * (size * free)[:, None]
        effects.append(Effect(f"group {i}", root, together / len(groups), spread))
    effects.append(Effect("own", np.diag(size)[:, free], *_OWN))
    if fixed.any():
        least = _LEAST_FIXED / fixed.sum()
        effects.append(Effect("fixed", np.diag(np.maximum(size, least))[:, fixed], *_FIXED))
    return OpPrior(mean, tuple(effects))


def _relative(tables: Sequence[Floats], typical: Floats) -> Floats:
    """Tables [b, columns + 1] in units of what each predicts for the mean network."""
    for i, table in enumerate(tables):
        if not (np.isfinite(table).all() and typical @ table > 0):
            raise TableError(f"prior table {i + 1} predicts no time for the mean network; leave it out")
    return np.array([table / (typical @ table) for table in tables])
