"""A space as supernets scored it, beside trained accuracies and MACs; and how good a ranking of it is.

Public scores of NAS-Bench-201 (cvlab-yonsei/Few-Shot-NAS, GPL-3) are read where they lie, outside this project.
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
from hwnas.spaces import ArchTable, ArchTableError, NasBench201, NasBenchMacro, Population, SearchSpace
from hwnas.spaces.nb201 import cell
from hwnas.spaces.sampling import one_of_each_function
from hwnas.tables.calibrated import load_model
from latency_tables import load_table
from latency_tables.additive import Factors
from latency_tables.arrays import Floats

RECIPES = (
    "oneshot_c16_b64_e250",
    "oneshot_c16_b128_e1000",
    "oneshot_c5_b128_e1000_balanced",
    "fewshot3_c5_b128_e1000_balanced",
)
SCORES = ("true_class_probability", "accuracy", "angle")  # columns of kept scores
SIGNALS = {"probability": "true_class_probability", "angle": "angle"}
KEPT = Path(__file__).resolve().parent / "results" / "macro_supernet"
PERCENTILES = (25, 50, 75)  # of the cost: the budgets
_TABLE = KEPT / "table"
_BINS, _FEWEST = 20, 10


@dataclass(frozen=True)
class Ranked:
    """How good a ranking is: Kendall's tau, the same at equal cost, and accuracy points missed inside budgets."""

    tau: float
    equal_cost: float
    regret: float


@dataclass(frozen=True)
class ScoredSpace:
    """All networks [n, genes], their accuracy after training, cost and depth, [n], and what each supernet scored, [n].

    `cost` is what budgets are on: MACs unless replaced. `signals` are what else a supernet says, by its name: [n] each.
    `ms` is by a latency table, the upper end of the interval.
    """

    space: SearchSpace
    population: Population
    accuracy_pct: Floats
    cost: Floats
    depth: Floats
    scores: Mapping[str, Floats]
    signals: Mapping[str, Mapping[str, Floats]]
    ms: Floats | None = None

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
    def function(self) -> NDArray[np.int64]:
        """A number for what each cell computes, [n]: networks of one function are trained once."""
        return np.unique(self.space.functions(self.population), axis=0, return_inverse=True)[1].ravel()

    @cached_property
    def different(self) -> NDArray[np.int64]:
        """Indices of cells that compute something, the first of each function."""
        return self.table.rows(one_of_each_function(self.space, self.population))

    @cached_property
    def _bins(self) -> list[NDArray[np.int64]]:
        """Cells that compute something, by twenty quantiles of cost; many cells cost the same, so some are empty."""
        edges = np.quantile(self.cost[self.computes], np.linspace(0, 1, _BINS + 1))
        number = np.clip(np.digitize(self.cost, edges) - 1, 0, _BINS - 1)
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
        """Cells within that percentile of cost, [n]."""
        return self.cost <= np.percentile(self.cost, percentile)

    def additive_cost(self) -> Factors:
        """The sum over genes that the cost is, but for rounding of the file; ValueError where it is no such sum."""
        values = self.space.cardinalities
        one_hot = np.concatenate([np.eye(n)[self.population[:, gene]] for gene, n in enumerate(values)], axis=1)
        weights = np.linalg.lstsq(one_hot, self.cost, rcond=None)[0]
        if np.abs(one_hot @ weights - self.cost).max() > 1e-4 * self.cost.max():
            raise ValueError("these costs do not add up over genes")
        return Factors(values, {(gene,): t for gene, t in enumerate(np.split(weights, np.cumsum(values)[:-1]))})

    def regret(self, percentile: float, finalists: NDArray[np.int64] | list[int]) -> float:
        """Accuracy points between the best cell inside a budget and the best finalist, once trained."""
        return float(self.accuracy_pct[self.inside(percentile)].max() - self.accuracy_pct[finalists].max())


def public_scores(folder: Path) -> ScoredSpace:
    """NAS-Bench-201 by public supernets; ends the program with code 2 and one plain line when a file is not right."""
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
    depth = cell.live_op_statistics(read.population)[:, 1:3].sum(axis=1)  # live convolutions
    scored = {name: read.columns[name] / 100 for name in chosen}
    return ScoredSpace(space, read.population, accuracy, macs, depth, scored, {})


def kept_scores(folder: Path, kept: Path) -> ScoredSpace:
    """NAS-Bench-Macro by the supernets whose scores are in `kept`; ends the program when a file is not right.

    Networks are scored by accuracy; the mean probability of the true class and the angle are signals beside it. Their
    ms are by the table beside the results.
    """
    space = NasBenchMacro()
    try:
        truth = ArchTable.from_file(folder / "nas_bench_macro.csv.gz", space, "arch", ["mean_acc", "flops"])
        population = truth.population
        read = {
            path.name.removesuffix(".csv.gz"): ArchTable.from_file(path, space, "arch", SCORES)
            for path in sorted(kept.glob("*.csv.gz"))
        }
    except ArchTableError as e:
        say(f"{e}; name the folder of the benchmark with --data-folder")
        sys.exit(2)
    scores = {name: table.look_up(population, "accuracy") for name, table in read.items()}
    signals = {
        name: {signal: table.look_up(population, column) for signal, column in SIGNALS.items()}
        for name, table in read.items()
    }
    depth = (population > 0).sum(axis=1).astype(float)  # layers that are not identity
    accuracy, macs = truth.columns["mean_acc"], truth.columns["flops"]
    model, _ = load_model(_TABLE, load_table(_TABLE), space)
    ms = model.predict(population).upper_ms
    return ScoredSpace(space, population, accuracy, macs, depth, scores, signals, ms)
