"""Accuracies that somebody has trained and written down: the search sees validation, the rest is for afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwnas.accuracy._base import AccuracyEstimate, AccuracyEstimator
from hwnas.spaces import ArchTable, Population, SearchSpace
from latency_tables.arrays import Floats


@dataclass(frozen=True)
class TabularBenchmark(AccuracyEstimator):
    """Accuracy by look-up in the column `validation`; every metric is a fraction of 1."""

    table: ArchTable
    validation: str

    @classmethod
    def from_file(
        cls, path: Path, space: SearchSpace, *, arch: str, validation: str, others: Sequence[str] = ()
    ) -> TabularBenchmark:
        """Read a CSV (also .gz) or Parquet file with a column of architecture texts and columns of accuracies.

        A column with any value above 1 is in percent and divided by 100. Raises `ArchTableError` as
        `ArchTable.from_file` does.
        """
        names = list(dict.fromkeys([validation, *others]))
        table = ArchTable.from_file(path, space, arch, names)
        fractions = {n: c / 100 if (c > 1).any() else c for n, c in table.columns.items()}
        return cls(ArchTable(space, table.population, fractions, table.source), validation)

    @property
    def population(self) -> Population:
        """Every network it knows, [n, genes]."""
        return self.table.population

    def look_up(self, population: Population, metric: str) -> Floats:
        """One metric of genotypes [n, genes], [n]; raises `ArchTableError` naming a network it does not know."""
        return self.table.look_up(population, metric)

    def estimate(self, population: Population) -> AccuracyEstimate:
        """Validation accuracy as it is written; nothing is known of its spread, so the deviation is 0."""
        accuracy = self.look_up(population, self.validation)
        return AccuracyEstimate(accuracy, np.zeros(len(accuracy)))
