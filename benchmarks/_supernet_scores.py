"""NAS-Bench-201 as public supernets scored it, beside trained accuracies and MACs; and how good a ranking of it is.

The scores (cvlab-yonsei/Few-Shot-NAS, GPL-3) are read where they lie, outside this project.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks._speak import say
from hwnas.spaces import ArchTable, ArchTableError, NasBench201, Population
from latency_tables.arrays import Floats

RECIPES = (
    "oneshot_c16_b64_e250",
    "oneshot_c16_b128_e1000",
    "oneshot_c5_b128_e1000_balanced",
    "fewshot3_c5_b128_e1000_balanced",
)
PERCENTILES = (25, 50, 75)  # of MACs: the budgets
_BINS, _FEWEST = 20, 10


@dataclass(frozen=True)
class Ranked:
    """How good a ranking is: Kendall's tau, the same at equal cost, and accuracy points missed inside budgets."""

    tau: float
    equal_cost: float
    regret: float


@dataclass(frozen=True)
class PublicScores:
    """All cells [n, 6], their accuracy after training and MACs (millions), [n], and scores [n] of each supernet."""

    space: NasBench201
    population: Population
    accuracy_pct: Floats
    macs: Floats
    scores: Mapping[str, Floats]

    @classmethod
    def read(cls, folder: Path) -> PublicScores:
        """Ends the program with code 2 and one plain line when a file is absent or not right."""
        space, scores = NasBench201(), folder / "nb201_supernet_scores.csv.gz"
        try:
            with gzip.open(scores, "rt", newline="") as file:
                names = next(csv.reader(file))[1:]
            chosen = [name for name in names if name.rpartition(".")[0] in RECIPES]
            read = ArchTable.from_file(scores, space, "arch_str", chosen)
            truth = ArchTable.from_file(
                folder / "nb201_accuracy.csv.gz", space, "arch_str", ["c10_test_200", "flops_M_nb201"]
            )
        except (ArchTableError, OSError) as e:
            say(f"{e}; name the folder of the public scores with --data-folder")
            sys.exit(2)
        accuracy, macs = (truth.look_up(read.population, name) for name in ("c10_test_200", "flops_M_nb201"))
        return cls(space, read.population, accuracy, macs, {name: read.columns[name] / 100 for name in chosen})

    def runs(self, recipe: str) -> list[str]:
        """The supernets of one recipe."""
        return [name for name in self.scores if name.rpartition(".")[0] == recipe]

    @cached_property
    def table(self) -> ArchTable:
        """Where each cell stands."""
        return ArchTable(self.space, self.population, self.scores)

    @cached_property
    def computes(self) -> NDArray[np.bool_]:
        """Cells that compute something: the others were never sampled."""
        return self.space.computes(self.population)

    @cached_property
    def _bins(self) -> list[NDArray[np.int64]]:
        """Cells that compute something, by twenty quantiles of MACs; many cells have equal MACs, so some are empty."""
        edges = np.quantile(self.macs[self.computes], np.linspace(0, 1, _BINS + 1))
        number = np.clip(np.digitize(self.macs, edges) - 1, 0, _BINS - 1)
        found = [np.flatnonzero(self.computes & (number == i)) for i in range(_BINS)]
        return [cells for cells in found if len(cells) >= _FEWEST]

    def ranked(self, worth: Floats) -> Ranked:
        """By what is thought of all cells, [n]."""
        at_equal_cost = [kendalltau(worth[cells], self.accuracy_pct[cells])[0] for cells in self._bins]
        missed = [
            self.regret(budget, [int(np.argmax(np.where(self.inside(budget), worth, -np.inf)))])
            for budget in PERCENTILES
        ]
        tau = float(kendalltau(worth, self.accuracy_pct)[0])
        return Ranked(tau, float(np.nanmean(at_equal_cost)), float(np.mean(missed)))

    def inside(self, percentile: float) -> NDArray[np.bool_]:
        """Cells within that percentile of MACs, [n]."""
        return self.macs <= np.percentile(self.macs, percentile)

    def regret(self, percentile: float, finalists: NDArray[np.int64] | list[int]) -> float:
        """Accuracy points between the best cell inside a budget and the best finalist, once trained."""
        return float(self.accuracy_pct[self.inside(percentile)].max() - self.accuracy_pct[finalists].max())
